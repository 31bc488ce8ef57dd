package node

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/service"
)

// A review names the commands that the save runs: none for what is set already.
func TestReviewNamesNoCommandForWhatIsSet(t *testing.T) {
	n := &Node{Service: service.NewSystemd("")}
	const (
		enable, disable, stop = "systemctl enable conntrackd.service", "systemctl disable conntrackd.service", "systemctl stop conntrackd.service"
		reset, restart        = "systemctl reset-failed conntrackd.service", "systemctl restart conntrackd.service"
	)
	for name, c := range map[string]struct {
		now     service.State
		unknown bool
		wanted  conntrackd.Running
		want    []string
	}{
		"enable all":          {wanted: conntrackd.Running{Active: true, Enabled: true}, want: []string{enable, reset, restart}},
		"enabled already":     {now: service.State{Enabled: true}, wanted: conntrackd.Running{Active: true, Enabled: true}, want: []string{reset, restart}},
		"disable all":         {now: service.State{Active: true, Enabled: true}, want: []string{disable, stop}},
		"not at boot already": {now: service.State{Active: true}, want: []string{stop}},
		"stopped already":     {now: service.State{Enabled: true}, want: []string{disable}},
		"still starting":      {now: service.State{Starting: true}, want: []string{stop}},
		"crashed":             {now: service.State{Killed: true}, want: []string{stop}},
		"running, not at boot": {now: service.State{Active: true, Enabled: true},
			wanted: conntrackd.Running{Active: true}, want: []string{disable, reset, restart}},
		"not known": {unknown: true, wanted: conntrackd.Running{Active: true, Enabled: true}, want: []string{enable, reset, restart}},
	} {
		var got []string
		for _, a := range serviceActions(c.now, !c.unknown, c.wanted) {
			got = append(got, n.Service.Commands(a)...)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
