package health

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/conntrackd/service"
)

// The verdict is that of the link in use, whatever the file knows of it; the settings
// say more of their own link than the file.
func TestObserveTheLinkInUse(t *testing.T) {
	unknown := func(p netip.Prefix) netip.Prefix { return netip.PrefixFrom(p.Addr(), -1) }
	settings := conntracktest.Settings() // on sync0
	fromFile := settings
	fromFile.Current, fromFile.Peer = unknown(settings.Current), unknown(settings.Peer)
	spare := conntrackd.Settings{Interface: "sync1", Current: unknown(netip.MustParsePrefix("10.78.0.1/24")), Peer: unknown(netip.MustParsePrefix("10.78.0.2/24")), Port: 3785}

	for _, tt := range []struct {
		reply string // of the daemon, about its links
		links []conntrackd.Settings
		want  conntrackd.Settings
		spare bool
	}{
		{"link", nil, settings, false},
		{"link", []conntrackd.Settings{fromFile}, settings, false},
		{"link-two", []conntrackd.Settings{fromFile, spare}, spare, true}, // sync1 is active
		{"link-two", []conntrackd.Settings{fromFile}, settings, false},    // the daemon runs with another file
		{"link-two", []conntrackd.Settings{spare}, settings, false},       // the settings are not in the file
	} {
		path := t.TempDir() + "/ctl"
		conntracktest.ServeControl(t, path, func(r control.Request) []byte {
			content, err := os.ReadFile("../control/testdata/replies/" + map[control.Request]string{28: "network", control.RequestCache: "cache-inject", control.RequestRuntime: "runtime", control.RequestLink: tt.reply, 36: "queue"}[r])
			if err != nil {
				t.Error(err)
			}
			return content
		})
		o := &Observer{
			Service: &steady{state: service.State{Active: true, MainPID: os.Getpid()}}, Client: control.NewClient(path), Settings: settings, Links: tt.links,
			Sockets: func(int, conntrackd.Settings) (Sockets, error) { return Sockets{Bound: true}, nil },
		}
		e := o.gather(t.Context())
		if e.settings != tt.want || e.onSpare != tt.spare {
			t.Errorf("%s with %d links: judged by %+v, spare %v; want %+v", tt.reply, len(tt.links), e.settings, e.onSpare, tt.want)
		}
		if h := e.health(); strings.Contains(h.Cause, "no settings") || len(h.Links) != max(1, len(o.links())) {
			t.Errorf("%s with %d links: %s; %+v", tt.reply, len(tt.links), h.Cause, h.Links)
		}
	}
}
