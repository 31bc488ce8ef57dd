package conntrackd

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		directive: numberDirective("BurstLimit", 3, "# In messages.\n", at, atoi),
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
	file := table.link(Settings{
		Interface: "eth1", Current: netip.MustParsePrefix("10.0.0.1/24"), Peer: netip.MustParsePrefix("10.0.0.2/24"),
		Port: 3780, SendBuffer: 65536, ReceiveBuffer: 7000,
	})
	if !strings.Contains(file, "Interface eth1\n# In messages.\nBurstLimit 7000\n") {
		t.Errorf("in the file:\n%s", file)
	}
}

// Every entry of the table says all that its consumers need.
func TestSettingTableIsComplete(t *testing.T) {
	table := NewSettingTable()
	for i, e := range table {
		missing := e.Field == "" || e.Label == "" || e.Short == "" || e.Value == nil
		if !e.Advanced {
			missing = missing || e.Hint == "" || e.Standard == "" || e.Example == "" || len(e.About) == 0
		}
		if e.Kind == SwitchSetting {
			missing = missing || e.Word(true) == "" || e.Word(false) == "" || !e.On(e.Word(true)) || e.On(e.Word(false))
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
			t.Errorf("%s stands there twice", e.Field)
		}
	}
	want := Settings{Port: defaultPort, SendBuffer: defaultBufferBytes, ReceiveBuffer: defaultBufferBytes}
	if diff := cmp.Diff(want, Defaults(), comparePrefix); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}
