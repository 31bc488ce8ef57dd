package mailbox

import (
	"hash/crc32"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReportTravels(t *testing.T) {
	for _, r := range []Report{
		{},
		{Cause: CauseTableFull, Direct: true, Sequence: 65535, Counted: 2 * time.Second, Daemon: [3]uint8{1, 4, 7}, Kernel: 4999, Foreign: 17, External: 0, Refused: 1, Limit: 262144, Buffers: 255, Settings: 1, Mode: ModeFTFW, Host: Host{HookFails, 255}},
		{Cause: 7, Host: Host{Hook: 7}, Mode: ModeAlarm, Sequence: 1, External: largest, Kernel: 1},
	} {
		for _, low := range []bool{false, true} {
			got, from, ok := r.carrier(low).report()
			if diff := cmp.Diff(r, got); diff != "" || from != low || !ok {
				t.Errorf("low %v, ok %v, (-want +got):\n%s", from, ok, diff)
			}
		}
	}
	odd := Report{Cause: 7, Daemon: [3]uint8{1, 16, 2}}
	if got, _, _ := odd.carrier(true).report(); got.Daemon != [3]uint8{} || got.Cause != 7 || got.Hook != HookUnknown || got.Mode != ModeUnknown {
		t.Errorf("a version that does not fit arrives as %+v", got)
	}
	huge, _, _ := Report{Kernel: 1 << 31}.carrier(true).report()
	if huge.Kernel != largest {
		t.Errorf("a number that is too large arrives as %d", huge.Kernel)
	}
	for counted, want := range map[time.Duration]time.Duration{-time.Second: 0, 400 * time.Millisecond: 0, 1600 * time.Millisecond: 2 * time.Second, time.Minute: MaxCounted} {
		if got, _, _ := (Report{Counted: counted}).carrier(true).report(); got.Counted != want {
			t.Errorf("counted %v before arrives as %v, want %v", counted, got.Counted, want)
		}
	}
}

// An entry with one bit changed, of another version or of somebody else says nothing.
func TestReportIsNotBelievedWhenDamaged(t *testing.T) {
	whole := Report{Kernel: 5000, Foreign: 5000, Limit: 262144}.carrier(true)
	for bit := range 32 {
		c := whole
		if bit < 16 {
			c.sourcePort ^= 1 << bit
		} else {
			c.destinationPort ^= 1 << (bit - 16)
		}
		if r, _, ok := c.report(); ok {
			t.Errorf("port bit %d changed: %+v", bit, r)
		}
	}
	for bit := range 128 {
		for _, end := range []func(*carrier) *netip.Addr{
			func(c *carrier) *netip.Addr { return &c.source }, func(c *carrier) *netip.Addr { return &c.destination },
		} {
			c := whole
			b := end(&c).As16()
			b[bit/8] ^= 1 << (bit % 8)
			*end(&c) = netip.AddrFrom16(b)
			if r, _, ok := c.report(); ok {
				t.Errorf("address bit %d changed: %+v", bit, r)
			}
		}
	}
	swapped := whole
	swapped.source, swapped.destination = whole.destination, whole.source
	for name, c := range map[string]carrier{
		"ends swapped": swapped, "IPv4": {netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), 1, 2}, "nothing": {},
	} {
		if r, _, ok := c.report(); ok {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestHelpersTravel(t *testing.T) {
	both := NewHelpers([]string{"Q.931", "ftp", "RAS", "snmp"})
	none := NewHelpers(nil)
	if diff := cmp.Diff([]string{"ftp", "h323"}, both.Names()); diff != "" || !both.Known() || !none.Known() || Helpers(0).Known() {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		a, b Helpers
		want []string
	}{
		{both, none, []string{"ftp", "h323"}}, {none, both, []string{}}, {both, both, []string{}}, {both, 0, nil}, {0, both, nil},
		{NewHelpers([]string{"amanda", "irc", "pptp", "sip", "tftp"}), both, []string{"amanda", "irc", "pptp", "sip", "tftp"}},
	} {
		if diff := cmp.Diff(tt.want, tt.a.Without(tt.b)); diff != "" {
			t.Errorf("%v without %v (-want +got):\n%s", tt.a.Names(), tt.b.Names(), diff)
		}
	}
}

// FuzzReport holds that an entry that is read as a report is the one in which that
// report travels. Where summed is true the entry has the checksum of its addresses, which
// no fuzzing would hit.
func FuzzReport(f *testing.F) {
	c := Report{Kernel: 5000, Foreign: 5000}.carrier(false)
	for _, summed := range []bool{false, true} {
		f.Add(c.source.AsSlice(), c.destination.AsSlice(), c.sourcePort, c.destinationPort, summed)
		f.Add([]byte{1, 2, 3, 4}, []byte{}, uint16(0), uint16(0), summed)
	}
	f.Fuzz(func(t *testing.T, source, destination []byte, sourcePort, destinationPort uint16, summed bool) {
		if summed && len(source) == 16 && len(destination) == 16 {
			sum := crc32.ChecksumIEEE(slices.Concat(source[4:], destination[4:]))
			sourcePort, destinationPort = uint16(sum>>16), uint16(sum)
		}
		from, _ := netip.AddrFromSlice(source)
		to, _ := netip.AddrFromSlice(destination)
		c := carrier{from, to, sourcePort, destinationPort}
		r, low, ok := c.report()
		if !ok {
			return
		}
		if again := r.carrier(low); again != c {
			t.Errorf("%+v came in %+v, and travels in %+v", r, c, again)
		}
	})
}

func TestModes(t *testing.T) {
	for name, want := range map[string]Mode{"FTFW": ModeFTFW, "NOTRACK": ModeNotrack, "ALARM": ModeAlarm, "": ModeUnknown, "NACK": ModeUnknown} {
		if got := NewMode(name); got != want || want != ModeUnknown && got.String() != name {
			t.Errorf("%q is %d, %q", name, got, got)
		}
	}
}
