package text

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
)

// What the other node prints is read back however a console broke it.
func TestPeerLineComesThrough(t *testing.T) {
	s := pairSettings()
	line := PeerCommand(conntrackd.NewSettingTable(), s)
	cached := s
	cached.ExternalCache = true
	linked := s
	linked.SpareLinks = spareLinks()
	want := func(s conntrackd.Settings) conntrackd.Values { return otherEnd(s).Values() }
	for name, tc := range map[string]struct {
		text string
		from conntrackd.Settings
	}{
		"as it is":            {line, s},
		"ends in spaces":      {line + "   \r\n\r\n", s},
		"prompt":              {"root@fw-a:~# " + line, s},
		"sudo and path":       {"$ sudo /usr/sbin/" + line, s},
		"peer's whole answer": {"On the other node: " + line + "\n  " + PeerNote + "\nFingerprint, the same on both nodes: " + Fingerprint(conntrackd.NewSettingTable(), s) + "\n", s},
		"external cache":      {PeerCommand(conntrackd.NewSettingTable(), cached), cached},
		"spare links":         {PeerCommand(conntrackd.NewSettingTable(), linked), linked},
		"broken spare link":   {strings.Replace(PeerCommand(conntrackd.NewSettingTable(), linked), " 10.1.0.101", "\n10.1.0.101", 1) + "\n  " + peerNoteFor(linked), linked},
		"second prompt":       {strings.ReplaceAll(line, " --port", " \\\n> --port"), s},
		"the end comes later": {strings.Replace(line, "apply", "apply --enable", 1), s},
		"typed twice":         {"connsync apply --en\n" + line, s},
		"bracketed":           {"\x1b[200~" + line + "\x1b[201~", s},
		"with equals":         {strings.ReplaceAll(line, "--port ", "--port="), s},
		"first node":          {line + " --first-node", s},
		"all in quotes":       {"'" + line + "' ", s},
		"in double quotes":    {"$ \"/usr/sbin/" + line + "\"", s},
		"its words in quotes": {strings.Replace(line, "apply", "'apply", 1) + "'", s},
		"quoted":              {strings.ReplaceAll(line, "eth1", "'eth1'"), s},
	} {
		got, err := ParsePeerLine(conntrackd.NewSettingTable(), tc.text)
		if err != nil {
			t.Errorf("%s: %v\n%q", name, err, tc.text)
			continue
		}
		if diff := cmp.Diff(want(tc.from), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A terminal that is as wide as any breaks the line anywhere, also within a
// word; what comes of it is the same values or an error, never others.
func TestPeerLineBrokenAnywhere(t *testing.T) {
	s := pairSettings()
	s.ExternalCache = true
	line := PeerCommand(conntrackd.NewSettingTable(), s)
	s.Current, s.Peer = s.Peer, s.Current
	want := s.Values()
	for width := 20; width < len(line); width++ {
		var pieces []string
		for rest := line; rest != ""; {
			n := min(width, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		got, err := ParsePeerLine(conntrackd.NewSettingTable(), strings.Join(pieces, "\n"))
		if err != nil && len(pieces)-1 <= maxGuessedBreaks {
			t.Errorf("width %d: %v\n%s", width, err, strings.Join(pieces, "\n"))
		} else if err == nil && !maps.Equal(got, want) {
			t.Errorf("width %d: %+v, want %+v", width, got, want)
		}
	}
	// A line that was cut is never taken for a whole one.
	for n := range len(line) {
		if got, err := ParsePeerLine(conntrackd.NewSettingTable(), line[:n]); err == nil {
			t.Errorf("cut after %d bytes: %+v", n, got)
		}
	}
}

func TestPeerLineRefused(t *testing.T) {
	line := PeerCommand(conntrackd.NewSettingTable(), pairSettings())
	for text, want := range map[string]string{
		"":                            "contains no \"connsync apply\"",
		"connsync status":             "contains no \"connsync apply\"",
		"'" + line + " --enabl":       "the quote at its end is missing",
		"xconnsync apply":             "contains no \"connsync apply\"",
		line + " --frobnicate":        "unknown flag --frobnicate in the line",
		line + " reboot":              "unexpected \"reboot\" in the line",
		line + " ; reboot":            "unexpected \";\" in the line",
		line + " --port 4000":         "duplicate flag --port in the line",
		line + " --external-cache=on": "its end, --enable, is missing",
		"connsync apply --enable":     "--interface is missing",
		strings.ReplaceAll(line, "10.0.0.101/24", "10.0.9.101/24"):                   "--peer-ip in the line",
		strings.ReplaceAll(line, "--port 3780", "--port 99999"):                      "--port in the line",
		strings.ReplaceAll(line, "--enable", "--disable"):                            "unknown flag --disable in the line",
		strings.ReplaceAll(line, "--interface eth1", "--interface 'eth1"):            "the end of a quoted word is missing",
		"connsync apply --enable --interface eth1 --current-ip":                      "the value of --current-ip is missing",
		strings.ReplaceAll(line, "--interface eth1", "--interface \x1b]0;x\x07eth1"): "",
	} {
		_, err := ParsePeerLine(conntrackd.NewSettingTable(), text)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	var short *ShortPeerLineError
	if _, err := ParsePeerLine(conntrackd.NewSettingTable(), line[:len(line)/2]); !errors.As(err, &short) {
		t.Errorf("half a line: %v", err)
	}
}

func FuzzPeerLine(f *testing.F) {
	f.Add(PeerCommand(conntrackd.NewSettingTable(), pairSettings()))
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParsePeerLine(conntrackd.NewSettingTable(), text)
		if err != nil {
			return
		}
		if _, problems := ParseSettings(conntrackd.NewSettingTable(), v); len(problems) > 0 || v[conntrackd.FieldEnabled] != "enable" {
			t.Errorf("%q gave %+v: %v", text, v, problems)
		}
	})
}
