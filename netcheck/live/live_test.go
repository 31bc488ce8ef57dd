package live

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"connsync/lab"
	"connsync/netcheck"
	"connsync/netcheck/check"
)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Functions{
		"live": lab.Function(func(ctx context.Context, t netcheck.Target) (check.Report, error) {
			return check.Run(ctx, Plan(t), nil), nil
		}),
	})
}

// Every check of the plan answers on a link whose peer sends, and what only looks like
// its daemon's message is none.
func TestTheLinkOfAPairOfNamespaces(t *testing.T) {
	t.Parallel()
	a, b := namespace(t), namespace(t)
	if err := lab.Veth(a, "eth1", b, "eth1"); err != nil {
		t.Fatal(err)
	}
	for at, address := range map[*lab.Namespace]string{a: "10.0.0.101/24", b: "10.0.0.102/24"} {
		if out, err := at.Command("sh", "-ec", "ip address add "+address+" dev eth1; ip link set eth1 up").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	var peer, other net.PacketConn
	err := b.Do(func() (err error) {
		if peer, err = net.ListenPacket("udp4", "10.0.0.102:3780"); err == nil {
			other, err = net.ListenPacket("udp4", "10.0.0.102:0")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var target netcheck.Target
	target.Interface, target.Port = "eth1", 3780
	target.Current, target.Peer = netip.MustParsePrefix("10.0.0.101/24"), netip.MustParsePrefix("10.0.0.102/24")
	lookAs := func(who lab.Commander) check.Report {
		t.Helper()
		var r check.Report
		if err := lab.Call(t.Context(), who, "live", target, &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	look := func() check.Report { t.Helper(); return lookAs(a) }
	wants := func(r check.Report, id check.ID, want check.Status) {
		t.Helper()
		if res, _ := r.Result(id); res.Status != want {
			t.Errorf("%s is %v, want %v: %s", id, res.Status, want, res.Detail)
		}
	}

	// Datagrams to another port, and such without content.
	stop := send(t, other, 3781, "alive")
	empty := send(t, peer, 3780, "")
	r := look()
	wants(r, netcheck.CheckPeerPort, check.Passed)
	wants(r, CheckPeerHeard, check.Failed)
	if res, _ := r.Result(CheckPeerHeard); res.Severity != check.Warning {
		t.Errorf("a peer that is not heard yet is a %v", res.Severity)
	}
	stop()
	empty()

	stop = send(t, peer, 3780, "alive")
	r = look()
	stop()
	for _, res := range r.Results {
		wants(r, res.ID, check.Passed)
	}
	if len(r.Results) != 12 {
		t.Errorf("%d checks", len(r.Results))
	}

	// Without the capability for it nothing passes that could not be asked.
	r = lookAs(lab.CommandFunc(func(name string, args ...string) *exec.Cmd {
		return a.Command("setpriv", append([]string{"--bounding-set", "-net_raw", "--inh-caps", "-net_raw", name}, args...)...)
	}))
	wants(r, netcheck.CheckCarrier, check.Passed)
	for _, id := range []check.ID{netcheck.CheckDuplicateAddress, netcheck.CheckPeerLink, CheckPeerHeard} {
		wants(r, id, check.Unknown)
	}

	peer.Close()
	r = look()
	wants(r, netcheck.CheckPeerPing, check.Passed)
	wants(r, netcheck.CheckPeerPort, check.Failed)

	if out, err := b.Command("ip", "address", "flush", "dev", "eth1").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r = look()
	wants(r, netcheck.CheckPeerLink, check.Failed)
	wants(r, CheckPeerHeard, check.Skipped)
}

func namespace(t *testing.T) *lab.Namespace {
	t.Helper()
	n, err := lab.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// send sends to a port of this node ten times a second until stop is called.
func send(t *testing.T, from net.PacketConn, port int, payload string) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = from.WriteTo([]byte(payload), &net.UDPAddr{IP: net.IPv4(10, 0, 0, 101), Port: port}) // refused by a node without a daemon
			time.Sleep(100 * time.Millisecond)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
