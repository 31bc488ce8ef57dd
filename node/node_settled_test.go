package node

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"
	"testing/synctest"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
)

// restarting is a service that is being restarted: it does not run for three
// looks, and then it does.
type restarting struct {
	service.Service
	looks int
}

func (r *restarting) State(context.Context) (service.State, error) {
	r.looks++
	up := r.looks > 3
	return service.State{Present: true, Active: up, Changing: !up, Enabled: true}, nil
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
	if err := hostfile.Replace(path, nil, c.New); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		service := &restarting{}
		n := &Node{Options: Options{Config: path}, Service: service}
		saved, err := n.LoadForChange(t.Context())
		if err != nil || !saved.Settings.Enabled || saved.HalfEnabled() != "" || service.looks != 4 {
			t.Errorf("%v, %+v, half %q after %d looks", err, saved.Settings, saved.HalfEnabled(), service.looks)
		}
	})
}
