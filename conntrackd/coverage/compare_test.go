package coverage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/pairtest"
	"connsync/lab"
)

// randomEntry is an entry as a kernel could have it.
func randomEntry(r *rand.Rand) Entry {
	protocols := []uint8{unix.IPPROTO_ICMP, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_GRE, unix.IPPROTO_ESP, unix.IPPROTO_SCTP}
	e := Entry{Protocol: protocols[r.IntN(len(protocols))], Seen: r.IntN(2) == 0, Mark: r.Uint32N(3) * 7, Timeout: 1 + r.Uint32N(1000)}
	address := func() netip.Addr {
		if r.IntN(2) == 0 || e.Original.Source.IsValid() && e.Original.Source.Is4() {
			return netip.AddrFrom4([4]byte{10, byte(r.Uint32()), 0, byte(r.Uint32())})
		}
		return netip.AddrFrom4([4]byte{172, 16, 1, byte(r.Uint32())})
	}
	if r.IntN(2) == 0 {
		address = func() netip.Addr { return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(r.Uint32())}) }
	}
	for _, t := range []*Tuple{&e.Original, &e.Reply} {
		*t = Tuple{Source: address(), Destination: address()}
		if e.Protocol != unix.IPPROTO_ESP {
			t.SourcePort, t.DestinationPort = uint16(r.Uint32()), uint16(r.Uint32())
		}
		t.Zone = uint16(r.Uint32N(2)) * 5
	}
	if names := stateNames(e.Protocol); names != nil {
		e.State, e.HasState = uint8(r.IntN(len(names))), true
	}
	return e
}

func TestEntryTextComesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 9))
	for range 5000 {
		want := randomEntry(r)
		var got Entry
		if text := string(want.appendText(nil)); !got.parseText([]byte(text)) {
			t.Fatalf("not understood: %s", text)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestReadExportRefuses(t *testing.T) {
	const (
		head  = exportHead + "2026-11-28T14:02:10Z\n"
		entry = "udp 17 src=10.1.0.2 dst=10.2.0.2 sport=1 dport=2 src=10.2.0.2 dst=10.1.0.2 sport=2 dport=1 mark=0\n"
		other = "udp 17 src=10.1.0.2 dst=10.2.0.2 sport=9 dport=2 src=10.2.0.2 dst=10.1.0.2 sport=2 dport=9 mark=0\n"
	)
	for _, good := range []string{entry, entry + other, head + entry + exportAgain + "\n" + exportEnd + "1\n", head + exportAgain + "\n" + exportEnd + "0\n",
		head + entry + exportAgain + "\n" + entry + exportEnd + "1\n", head + entry + other + exportAgain + "\n" + exportGone + "1\n" + exportEnd + "2\n"} {
		if _, err := ReadExport(strings.NewReader(good)); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "\n", "hello\n", head, head + entry, head + entry + exportAgain + "\n", head + exportEnd + "0\n",
		head + entry + exportAgain + "\n" + exportEnd + "2\n", head + head, entry + head, head + "# what\n", "# connsync coverage 2 x\n",
		exportHead + "yesterday\n", head + entry + exportAgain + "\n" + other + exportEnd + "1\n", head + entry + exportAgain + "\n" + exportGone + "1\n" + exportEnd + "1\n",
		head + entry + exportAgain + "\n" + exportGone + "0\n" + exportGone + "0\n" + exportEnd + "1\n", head + entry + exportAgain + "\n" + exportEnd + "1\n" + entry,
		entry + strings.Repeat("x", 600) + "\n", entry + "\x1b[2J\n", entry[:40] + "\n",
	} {
		if _, err := ReadExport(strings.NewReader(bad)); !errors.Is(err, ErrInput) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzReadExport(f *testing.F) {
	f.Add([]byte(exportHead + "2026-11-28T14:02:10Z\nudp 17 src=10.1.0.2 dst=10.2.0.2 src=10.2.0.2 dst=10.1.0.2\n" + exportAgain + "\n" + exportGone + "0\n" + exportEnd + "1\n"))
	const entry = "udp 17 src=10.1.0.2 dst=10.2.0.2 src=10.2.0.2 dst=10.1.0.2\n"
	f.Add([]byte(exportHead + "2026-11-28T14:02:10Z\n" + entry + exportAgain + "\n" + entry + exportEnd + "1\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if x, err := ReadExport(bytes.NewReader(content)); err == nil && (x.Len() < 0 || len(x.index) != len(x.entries)) {
			t.Errorf("%d entries, %d ended, %d in the index", len(x.entries), x.Ended, len(x.index))
		}
	})
}

// loaded is a network namespace whose table has entries.
func loaded(t *testing.T, commands ...string) *lab.Namespace {
	t.Helper()
	ns, err := lab.NewNamespace()
	if err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	t.Cleanup(func() { ns.Close() })
	load(t, ns, commands...)
	return ns
}

func load(t testing.TB, ns *lab.Namespace, commands ...string) {
	t.Helper()
	cmd := ns.Command("conntrack", "-R", "/dev/stdin")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("conntrack -R: %v: %s", err, out)
	}
}

// One entry is equal, one absent, one has another state, one another mark, one another
// NAT, one changes state during the export, one ends during it, and one comes late.
func TestExportAndCompare(t *testing.T) {
	t.Parallel()
	tcp := func(port int, rest string) string {
		return fmt.Sprintf("-I -p tcp -s 10.1.0.2 -d 10.2.0.2 --sport %d --dport 80 -u SEEN_REPLY,ASSURED -t 600 %s", port, rest)
	}
	const established = "--state ESTABLISHED"
	there := loaded(t, tcp(1, established), tcp(2, established), tcp(3, "--state FIN_WAIT"), tcp(4, established+" -m 7"),
		tcp(5, established+" --src-nat 203.0.113.1"), tcp(6, established), tcp(7, established), tcp(8, established), tcp(9, "--state TIME_WAIT"),
		"-I -p udp -s 10.1.0.2 -d 224.0.0.251 --sport 1 --dport 2 -t 600", "-I -p udp -s 198.51.100.1 -d 198.51.100.2 --sport 40001 --dport 40002 -t 60")
	here := loaded(t, tcp(1, established), tcp(3, established), tcp(4, established), tcp(5, established), tcp(6, established))
	var b bytes.Buffer
	time.AfterFunc(500*time.Millisecond, func() {
		for _, args := range []string{"-U -p tcp -s 10.1.0.2 --sport 6 --dport 80 -d 10.2.0.2 --state CLOSE_WAIT", "-D -p tcp --orig-port-src 7"} {
			if out, err := there.Command("conntrack", strings.Fields(args)...).CombinedOutput(); err != nil {
				t.Errorf("conntrack %s: %v: %s", args, err, out)
			}
		}
	})
	if err := there.Do(func() error { return Export(t.Context(), &b, nil) }); err != nil {
		t.Fatal(err)
	}
	late := make(chan struct{})
	time.AfterFunc(300*time.Millisecond, func() {
		cmd := here.Command("conntrack", strings.Fields(tcp(8, established))...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("conntrack: %v: %s", err, out)
		}
		close(late)
	})
	x, err := ReadExport(&b)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	var got Comparison
	if err := here.Do(func() (err error) {
		got, err = Comparer{Most: 20}.Compare(context.Background(), x)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	<-late
	var differences []string
	for _, d := range got.Sample {
		differences = append(differences, fmt.Sprintf("%d %s", d.Original.SourcePort, d.What))
	}
	slices.Sort(differences)
	got.Sample = nil
	if diff := cmp.Diff(Comparison{Total: 7, Held: 2, Moving: 1, Differ: 3, Absent: 1, Ended: 1}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"2 absent", "3 state ESTABLISHED here", "4 mark", "5 NAT"}, differences); diff != "" {
		t.Error(diff)
	}
	// What conntrack lists can be compared, too.
	list, err := there.Command("conntrack", "-L", "-p", "tcp").Output()
	if err != nil {
		t.Fatal(err)
	}
	if x, err = ReadExport(bytes.NewReader(list)); err != nil || x.Len() != 7 {
		t.Errorf("%v\n%s", err, list)
	}
}

// A real external cache holds what the other node exports, with NAT and without.
func TestCompareWithExternalCache(t *testing.T) {
	t.Parallel()
	a, b := pairtest.New(t)
	for _, n := range []*pairtest.Node{a, b} {
		n.WriteConfig(pairtest.ExternalCache(conntracktest.Config(n.Settings, n.Dir)))
		if err := n.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	const tcp, udp = "-I -p tcp -s 10.1.0.2 -d 10.2.0.2 --state ESTABLISHED -u SEEN_REPLY,ASSURED -t 600 --dport 80", "-I -p udp -s 10.1.0.2 -d 10.2.0.2 -u SEEN_REPLY -t 600 --dport 53"
	load(t, b.Namespace, tcp+" --sport 1", tcp+" --sport 2 --src-nat 203.0.113.1", tcp+" --sport 3 --dst-nat 10.3.0.3", udp+" --sport 4",
		"-I -p icmp -s 10.1.0.2 -d 10.2.0.2 -t 600 --icmp-type 8 --icmp-code 0 --icmp-id 7",
		"-I -p tcp -s 2001:db8::1 -d 2001:db8::2 --state ESTABLISHED -u SEEN_REPLY,ASSURED -t 600 --sport 5 --dport 80")
	a.AwaitExternal(5) // of IPv4
	cached := func(x *Exported) (c Comparison) {
		t.Helper()
		a.Do(func() (err error) {
			c, err = Comparer{Client: a.Client(), Most: 20}.Compare(t.Context(), x)
			return err
		})
		return c
	}
	var out bytes.Buffer
	b.Do(func() error { return Export(t.Context(), &out, nil) })
	x, err := ReadExport(&out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Comparison{Total: 6, Held: 6, Cache: true}, cached(x)); diff != "" {
		dump, _ := a.Namespace.Command("conntrackd", "-C", a.ConfigPath(), "-e").CombinedOutput()
		t.Errorf("%s\n%s", diff, dump)
	}
	x, err = ReadExport(strings.NewReader("tcp 6 FIN_WAIT src=10.1.0.2 dst=10.2.0.2 sport=1 dport=80 src=10.2.0.2 dst=10.1.0.2 sport=80 dport=1\n" +
		"udp 17 src=10.1.0.2 dst=10.2.0.2 sport=99 dport=53 src=10.2.0.2 dst=10.1.0.2 sport=53 dport=99\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := cached(x)
	got.Sample = nil
	if diff := cmp.Diff(Comparison{Total: 2, Differ: 1, Absent: 1, Cache: true}, got); diff != "" {
		t.Error(diff)
	}
}
