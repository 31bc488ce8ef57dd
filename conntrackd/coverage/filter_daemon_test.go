package coverage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
	"connsync/lab"
)

// filterSample are entries of many kinds, as commands of conntrack.
func filterSample() []string {
	var commands []string
	for i, pair := range [][2]string{{"10.1.0.2", "10.2.0.2"}, {"10.1.7.3", "203.0.113.9"}, {"192.0.2.4", "10.1.0.2"}, {"2001:db8:1::2", "2001:db8:2::2"}} {
		ends := fmt.Sprintf("-s %s -d %s -t 600", pair[0], pair[1])
		icmp := fmt.Sprintf("-p icmp %s --icmp-type 8 --icmp-code 0 --icmp-id 7", ends) // conntrack wants the ends first
		if strings.Contains(pair[0], ":") {
			icmp = fmt.Sprintf("-p icmpv6 %s --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 7", ends)
		}
		for j, state := range []string{"SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE"} {
			commands = append(commands, fmt.Sprintf("-p tcp --sport %d --dport 80 --state %s %s", 1000+j, state, ends))
		}
		commands = append(commands, icmp,
			fmt.Sprintf("-p udp --sport %d --dport 53 %s", 2000+i, ends),
			fmt.Sprintf("-p sctp --sport %d --dport 99 --state ESTABLISHED --orig-vtag 1 --reply-vtag 2 %s", 2000+i, ends),
			"-p 50 "+ends, "-p gre --srckey 0x11 --dstkey 0x22 "+ends)
	}
	return append(commands,
		"-p udp -s 10.1.0.9 -d 198.18.0.1 --sport 3000 --dport 53 -t 600 --src-nat 203.0.113.1",
		"-p udp -s 203.0.113.77 -d 203.0.113.1 --sport 3001 --dport 53 -t 600 --dst-nat 10.2.0.2",
		"-p tcp -s 203.0.113.78 -d 203.0.113.1 --sport 3002 --dport 80 -t 600 --state ESTABLISHED --dst-nat 10.1.0.2")
}

// randomFilter is a Filter section of a file. It never has ::/0, which the daemon takes for
// a repetition of 0.0.0.0/0, depending on what lies in its memory behind that.
func randomFilter(r *rand.Rand) string {
	some := func(of ...string) string {
		var picked []string
		for _, s := range of {
			if r.IntN(3) == 0 {
				picked = append(picked, s)
			}
		}
		return strings.Join(picked, "\n")
	}
	verb := func() string { return []string{"Accept", "Ignore"}[r.IntN(2)] }
	var b strings.Builder
	fmt.Fprintf(&b, "Filter%s {\n", []string{"", " From Userspace", " From Kernelspace"}[r.IntN(3)])
	for range 1 + r.IntN(3) {
		switch r.IntN(4) {
		case 0:
			fmt.Fprintf(&b, "Protocol %s {\n%s\n}\n", verb(), some("TCP", "UDP", "icmp", "ipv6-icmp", "SCTP", "gre", "esp", "nosuch"))
		case 1, 2:
			fmt.Fprintf(&b, "Address %s {\n%s\n}\n", verb(), some("IPv4_address 10.1.0.2", "IPv4_address 10.1.0.0/16", "IPv4_address 10.2.0.2/32", "IPv4_address 0.0.0.0/0",
				"IPv4_address 203.0.113.0/25", "IPv4_address 10.1.7.9/24", "IPv6_address 2001:db8:1::2", "IPv6_address 2001:db8:2::/48", "IPv6_address 2001:db8::/31", "IPv4_address 192.0.2.4"))
		case 3:
			states := some("SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSED", "CLOSE", "LISTEN")
			if states != "" {
				fmt.Fprintf(&b, "State %s {\n%s for TCP\n}\n", verb(), states)
			}
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// The daemon is the judge: for many filters its cache has exactly those entries that
// the filter lets through, after events and after a resync.
func TestFilterAgreesWithTheDaemon(t *testing.T) {
	conntracktest.RequireDaemon(t)
	protocols, err := ReadProtocols("/etc/protocols")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 9))
	for i := range 40 {
		filter := randomFilter(r)
		if !t.Run(fmt.Sprint(i), func(t *testing.T) { agreesWithDaemon(t, filter, protocols) }) && i > 5 {
			break
		}
	}
}

// daemon is a real conntrackd alone in a network namespace.
type daemon struct {
	ns     *lab.Namespace
	client *control.Client
	file   *conntrackd.File
}

// startDaemon starts one whose General section has more lines.
func startDaemon(t testing.TB, lines string) daemon {
	t.Helper()
	ns, err := lab.NewNamespace()
	if err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	t.Cleanup(func() { ns.Close() })
	dir := t.TempDir()
	s := conntracktest.Settings()
	s.Interface = "lo"
	s.Current, s.Peer = netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("127.0.0.2/8")
	config := strings.TrimSuffix(strings.TrimSpace(conntracktest.Config(s, dir)), "}") + "Systemd off\n" + lines + "}\n"
	path := filepath.Join(dir, "conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"ip", "link", "set", "lo", "up"}, {"sysctl", "-qw", "net.netfilter.nf_conntrack_events=1"}, {"conntrackd", "-C", path, "-d"}} {
		if out, err := ns.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s\n%s", command, err, out, config)
		}
	}
	t.Cleanup(func() { _ = exec.Command("conntrackd", "-C", path, "-k").Run() })
	file, _ := conntrackd.Parse("conntrackd.conf", []byte(config))
	d := daemon{ns, control.NewClient(filepath.Join(dir, "ctl")), file}
	for deadline := time.Now().Add(2 * time.Minute); !d.client.Alive(t.Context()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("conntrackd does not answer")
		}
	}
	return d
}

func agreesWithDaemon(t *testing.T, filter string, protocols map[string]uint8) {
	d := startDaemon(t, filter)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	load(t, d.ns, "-I "+strings.Join(filterSample(), "\n-I "))
	f := NewFilter(d.file, protocols)
	byEvents, byResync := map[string]bool{}, map[string]bool{}
	if err := d.ns.Do(func() error {
		return Dump(ctx, func(e *Entry) {
			_, entry := f.dropsEntry(e)
			_, event := f.dropsEvent(e)
			byResync[e.String()] = !entry
			byEvents[e.String()] = !entry && !f.inKernel || !event && f.inKernel
			byResync[e.String()] = byResync[e.String()] || byEvents[e.String()]
		})
	}); err != nil {
		t.Fatal(err)
	}
	if len(byEvents) != len(filterSample()) {
		t.Fatalf("%d entries, want %d", len(byEvents), len(filterSample()))
	}
	compareCache(ctx, t, d.client, byEvents, "after the events", filter)
	if err := d.client.ResyncKernel(ctx); err != nil {
		t.Fatal(err)
	}
	compareCache(ctx, t, d.client, byResync, "after the resync", filter)
}

// compareCache waits until the cache is as it should be.
func compareCache(ctx context.Context, t *testing.T, c *control.Client, want map[string]bool, when, filter string) {
	t.Helper()
	var wrong []string
	for range 30 {
		held := map[string]bool{}
		if err := c.DumpInternal(ctx, func(line []byte) {
			var e Entry
			if !e.parseText(line) {
				t.Errorf("not understood: %s", line)
			}
			held[e.String()] = true
		}); err != nil {
			t.Fatal(err)
		}
		wrong = nil
		for entry, passes := range want {
			if held[entry] != passes {
				wrong = append(wrong, fmt.Sprintf("%s: in the cache %v, want %v", entry, held[entry], passes))
			}
		}
		for entry := range held {
			if _, known := want[entry]; !known {
				wrong = append(wrong, entry+": in the cache alone")
			}
		}
		if len(wrong) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	slices.Sort(wrong)
	t.Errorf("%s, with %s\n%s", when, filter, strings.Join(wrong, "\n"))
}
