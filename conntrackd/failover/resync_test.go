package failover

import (
	"strings"
	"testing"
)

// What the peer tells of itself is no connection of it, however often it was asked.
func TestResyncedSaysWhatCame(t *testing.T) {
	for want, r := range map[string]Resynced{
		"the peer has no connections to send (asked twice); this node has none to send": {Came: 2, Reports: 1, Asked: 2, Heard: true, Direct: true},
		"the peer's states came; this kernel now holds 20 connections; ":                {Came: 21, Reports: 1, Asked: 1, Held: 20, Direct: true},
		"the peer's states came into the kernel; ":                                      {Came: 3, Reports: 1, Asked: 2, Heard: true, Direct: true},
		"2 states of the peer came; ":                                                   {Came: 3, Reports: 1, Asked: 2, Heard: true},
		"the peer was asked for its states and did not answer; ":                        {Asked: 2},
	} {
		if got := r.String(); !strings.HasPrefix(got, want) {
			t.Errorf("%+v: %q, want %q", r, got, want)
		}
	}
}
