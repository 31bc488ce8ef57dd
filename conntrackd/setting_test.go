package conntrackd

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd/typed"
)

// withBurst is the table with a made-up setting, which lies where the receive
// buffer does in another table.
func withBurst() SettingTable {
	t := slices.DeleteFunc(NewSettingTable(), func(e Setting) bool { return e.Field == FieldReceiveBuffer })
	at := func(s *Settings) *int { return &s.ReceiveBuffer }
	return append(t, Setting{
		Field: "burst_limit", Label: "Burst Limit", Short: "Burst", Kind: NumberSetting, Required: true,
		Value: Value[int]{
			At: at, Default: 5000,
			Parse: func(text string, _ Settings) (int, string) {
				n, err := strconv.Atoi(text)
				if text != "" && err != nil {
					return 0, "burst limit " + text + " is not a number"
				}
				return n, ""
			},
			Format: formatPositive,
		},
		Rule: func(s Settings) string {
			if s.ReceiveBuffer > 9000 {
				return fmt.Sprintf("burst limit %d is above 9000", s.ReceiveBuffer)
			}
			return ""
		},
		directive: numberDirective(inUDP, "BurstLimit", 3, "# In messages.\n", at, atoi),
	})
}

// A setting that is in the table is converted both ways, has its default, its
// rule and its place among the problems, and its line in a new file.
func TestMadeUpSetting(t *testing.T) {
	table := withBurst()
	if got := table.Defaults().ReceiveBuffer; got != 5000 {
		t.Errorf("default %d", got)
	}
	v := table.Values(table.Defaults())
	if v["burst_limit"] != "5000" {
		t.Errorf("values %v", v)
	}
	s, problems := table.Settings(v.With("burst_limit", " 7000 "))
	if s.ReceiveBuffer != 7000 || problems != nil {
		t.Errorf("read %d: %v", s.ReceiveBuffer, problems)
	}
	if v["burst_limit"] != "5000" {
		t.Error("With changed what it was asked of")
	}
	for typed, message := range map[string]string{"x": "burst limit x is not a number", "9001": "burst limit 9001 is above 9000"} {
		s, problems := table.Settings(v.With("burst_limit", typed).With(FieldPort, "0x1"))
		if len(problems) != 2 || problems[0].Field != FieldPort || problems[1] != (Problem{"burst_limit", message}) || s.ReceiveBuffer != 0 {
			t.Errorf("%q: %d, %v", typed, s.ReceiveBuffer, problems)
		}
	}
	file := table.lines(inUDP, Settings{
		Interface: "eth1", Current: netip.MustParsePrefix("10.0.0.1/24"), Peer: netip.MustParsePrefix("10.0.0.2/24"),
		Port: 3780, SendBuffer: 65536, ReceiveBuffer: 7000,
	})
	if !strings.Contains(file, "Interface eth1\n# In messages.\nBurstLimit 7000\n") {
		t.Errorf("in the file:\n%s", file)
	}
}

// A number is read and written in any section, with its entry alone: the last of
// two is in force, and a file without it gets it where it belongs.
func TestNumberOutsideTheLink(t *testing.T) {
	at := func(s *Settings) *int { return &s.SendBuffer }
	tests := []struct {
		in                   section
		keyword, src, edited string
		read                 int
	}{
		{inFTFW, "PurgeTimeout", "Sync { Mode FTFW { } }\n", "Sync { Mode FTFW {\n\tPurgeTimeout 90\n} }\n", 0},
		{inFTFW, "PurgeTimeout", "Sync { PurgeTimeout 30\nMode FTFW { } }\n", "Sync { PurgeTimeout 90\nMode FTFW { } }\n", 30},
		{inFTFW, "PurgeTimeout", "Sync { PurgeTimeout 30 Mode NOTRACK { PurgeTimeout 40 } }\n", "Sync { PurgeTimeout 30 Mode NOTRACK { PurgeTimeout 90 } }\n", 40},
		{inSync, "RefreshTime", "Sync {\n\tMode ALARM { }\n}\n", "Sync {\n\tMode ALARM { }\n\tRefreshTime 90\n}\n", 0},
		{inGeneral, "EventIterationLimit", "General {\n}\nGeneral { EventIterationLimit 5 }\n", "General {\n}\nGeneral { EventIterationLimit 90 }\n", 5},
	}
	for _, tt := range tests {
		f, _ := Parse("odd", []byte(tt.src))
		d := numberDirective(tt.in, tt.keyword, 0, "", at, atoi)
		var s Settings
		if d.read(f, f.contents(tt.in), &s); s.SendBuffer != tt.read {
			t.Errorf("%q: read %d, want %d", tt.src, s.SendBuffer, tt.read)
		}
		m := &merge{f: f, s: Settings{SendBuffer: 90}}
		d.write(m)
		m.f.reparse()
		if got := string(m.f.Bytes()); got != tt.edited {
			t.Errorf("%q: edited to %q, want %q", tt.src, got, tt.edited)
		}
		if d.read(m.f, m.f.contents(tt.in), &s); s.SendBuffer != 90 {
			t.Errorf("%q: read %d after the edit", tt.src, s.SendBuffer)
		}
	}
}

// Every entry of the table says all that its consumers need.
func TestSettingTableIsComplete(t *testing.T) {
	table := NewSettingTable()
	for i, e := range table {
		missing := e.Field == "" || e.Label == "" || e.Short == "" || e.Value == nil || e.Hint == "" || e.Standard == "" || e.Example == "" || len(e.About) == 0
		if e.Kind == SwitchSetting {
			missing = missing || e.Word(true) == "" || e.Word(false) == "" || !e.On(e.Word(true)) || e.On(e.Word(false))
		}
		if e.Kind == ChoiceSetting {
			missing = missing || len(e.Words) < 2 || e.Optional != slices.Contains(e.Words, DefaultWord)
		}
		if missing {
			t.Errorf("something is missing: %+v", e)
		}
		if e.Usage == "" && e.Field != FieldEnabled { // which has two flags of its own
			t.Errorf("%s has no flag", e.Field)
		}
		if e.Follows != "" && !slices.Contains(table.Fields()[:i], e.Follows) {
			t.Errorf("%s follows %s, which does not stand before it", e.Field, e.Follows)
		}
		if other := slices.Index(table.Fields(), e.Field); other != i {
			t.Errorf("%s is there twice", e.Field)
		}
	}
	want := Settings{Port: defaultPort, SendBuffer: defaultBufferBytes, ReceiveBuffer: defaultBufferBytes}
	if diff := cmp.Diff(want, Defaults(), comparePrefix); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

// A value that could not be saved does not take the link away: what the daemon does
// with the file is asked all the same.
func TestCompleteIsOfTheLink(t *testing.T) {
	link := Defaults()
	link.Interface, link.Current, link.Peer = "eth1", netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("10.0.0.2/24")
	for name, change := range map[string]func(*Settings){
		"ignored addresses": func(s *Settings) { s.IgnoreAddresses = "0.0.0.0/0" },
		"a buffer":          func(s *Settings) { s.ReceiveBuffer = 1 },
	} {
		s := link
		change(&s)
		if len(s.validate()) == 0 {
			t.Errorf("%s: it can be saved, so that this shows nothing", name)
		}
		if !s.Complete() {
			t.Errorf("%s: the link is not seen", name)
		}
	}
	for name, tt := range map[string]struct {
		change func(*Settings)
		want   []Field
	}{
		"no interface":       {func(s *Settings) { s.Interface = "" }, []Field{FieldInterface}},
		"no peer":            {func(s *Settings) { s.Peer = netip.Prefix{} }, []Field{FieldPeerIP}},
		"no port":            {func(s *Settings) { s.Port = 0 }, []Field{FieldPort}},
		"a loopback address": {func(s *Settings) { s.Current = netip.MustParsePrefix("127.0.0.1/8") }, []Field{FieldCurrentIP}},
		"nothing":            {func(s *Settings) { *s = Defaults() }, []Field{FieldInterface, FieldCurrentIP, FieldPeerIP}},
		"nothing in a file":  {func(s *Settings) { *s = Settings{} }, []Field{FieldInterface, FieldCurrentIP, FieldPeerIP, FieldPort}},
	} {
		s := link
		tt.change(&s)
		if diff := cmp.Diff(tt.want, s.Missing()); diff != "" || s.Complete() {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPurgeDelay(t *testing.T) {
	for seconds, want := range map[int]time.Duration{0: time.Minute, typed.DefaultNumber: time.Minute, 5: 5 * time.Second} {
		if got := (Settings{Advanced: Advanced{PurgeTimeout: seconds}}).PurgeDelay(); got != want {
			t.Errorf("%d: %v, want %v", seconds, got, want)
		}
	}
}
