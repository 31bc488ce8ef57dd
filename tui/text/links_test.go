package text

import (
	"net/netip"
	"strings"
	"testing"

	"connsync/conntrackd/health"
)

// Which link is in use is said, and which could not take over.
func TestStatusLinesOfLinks(t *testing.T) {
	link := func(name string, standard, used bool, problem string) health.Link {
		return health.Link{Interface: name, Current: netip.MustParseAddr("10.0.0.1"), Peer: netip.MustParseAddr("10.0.0.2"), Port: 3780,
			Default: standard, InUse: used, Problem: problem}
	}
	const path = ", 10.0.0.1 to 10.0.0.2, UDP port 3780: "
	for _, tt := range []struct {
		name  string
		links []health.Link
		want  []string // after the sentence
	}{
		{"none", nil, nil},
		{"one", []health.Link{link("eth1", true, true, "")}, nil},
		{"both well", []health.Link{link("eth1", true, true, ""), link("eth5", false, false, "")},
			[]string{"         link eth1" + path + "in use", "         spare link eth5" + path + "ready"}},
		{"dead spare", []health.Link{link("eth5", false, false, "eth5 is DOWN"), link("eth1", true, true, "")},
			[]string{"warn     spare link eth5" + path + "dead, eth5 is DOWN; when eth1 fails the sync ends", "         link eth1" + path + "in use"}},
		{"spare in use", []health.Link{link("eth1", true, false, "eth1 is NO-CARRIER"), link("eth5", false, true, "")},
			[]string{"warn     link eth1" + path + "dead, eth1 is NO-CARRIER",
				"warn     spare link eth5" + path + "in use instead of eth1; conntrackd returns to it only after a restart, or when eth5 fails"}},
		{"spare in use, and the other is back", []health.Link{link("eth1", true, false, ""), link("eth5", false, true, "")},
			[]string{"         link eth1" + path + "ready",
				"warn     spare link eth5" + path + "in use instead of eth1; conntrackd returns to it only after a restart, or when eth5 fails"}},
	} {
		got := StatusLines(health.Health{Verdict: health.VerdictTwoWay, Links: tt.links})[1:]
		if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}
