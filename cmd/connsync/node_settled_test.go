package main

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"
	"testing/synctest"

	"connsync/conntrackd"
)

// restarting is a service that is being restarted: it does not run for three
// looks, and then it does.
type restarting struct {
	conntrackd.Service
	looks int
}

func (r *restarting) State(context.Context) (conntrackd.ServiceState, error) {
	r.looks++
	up := r.looks > 3
	return conntrackd.ServiceState{Present: true, Active: up, Changing: !up, Enabled: true}, nil
}

// A save that does not say whether the sync is to be on keeps it on, also while
// the service is being restarted.
func TestSaveWaitsForAServiceThatIsRestarted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conntrackd.conf")
	s := conntrackd.Defaults()
	s.Interface, s.Current, s.Peer = "eth1", netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.2/24")
	c, err := conntrackd.NewCandidate(path, s, conntrackd.Host{})
	if err != nil {
		t.Fatal(err)
	}
	if err := conntrackd.ReplaceFile(path, nil, c.New); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		service := &restarting{}
		n := &node{options: options{config: path}, service: service}
		saved, err := n.loadForChange(t.Context())
		if err != nil || !saved.settings.Enabled || saved.half() != "" || service.looks != 4 {
			t.Errorf("%v, %+v, half %q after %d looks", err, saved.settings, saved.half(), service.looks)
		}
	})
}
