package failover

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
)

// An exchange whose states were not sent has not begun: the callers begin it again.
func TestBeginResyncWithoutBulk(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := &daemonModel{}
	path := filepath.Join(t.TempDir(), "ctl")
	conntracktest.ServeControl(t, path, func(r control.Request) []byte {
		if r == control.RequestSendBulk {
			cancel()
			<-t.Context().Done() // no answer
		}
		return d.answer(r)
	})
	if r, err := BeginResync(ctx, control.NewClient(path), true); r != nil || err == nil {
		t.Errorf("%+v, %v; want an error alone", r, err)
	}
}

// What the peer tells of itself is no connection of it, however often it was asked.
func TestResyncedSaysWhatCame(t *testing.T) {
	for want, r := range map[string]Resynced{
		"the peer has no connections to send (asked twice); this node has none to send":         {Came: 2, Reports: 1, Asked: 2, Heard: true, Direct: true},
		"the peer's states came; this kernel now holds 20 connections; ":                        {Came: 21, Reports: 1, Asked: 1, Held: 20, Direct: true},
		"the peer's states came into the kernel; ":                                              {Came: 3, Reports: 1, Asked: 2, Heard: true, Direct: true},
		"the peer's states came into the kernel; how many states this node sent cannot be seen": {Came: 3, Asked: 1, Heard: true, Direct: true, Bypass: true},
		"2 states of the peer came; ":                                                           {Came: 3, Reports: 1, Asked: 2, Heard: true},
		"the peer was asked for its states and did not answer; ":                                {Asked: 2},
	} {
		if got := r.String(); !strings.HasPrefix(got, want) {
			t.Errorf("%+v: %q, want %q", r, got, want)
		}
	}
}
