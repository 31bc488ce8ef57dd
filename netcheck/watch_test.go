package netcheck

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"connsync/lab"
)

// watchStory is what happened while interfaces of a namespace were watched.
type watchStory struct {
	First      bool          // the first list came with the interface down
	Up         time.Duration // until a list said that it was up
	Idle       int           // lists that came though nothing had changed
	Burst      int           // lists that came for thousands of changes
	Dropped    int           // notifications that the kernel threw away
	Last       bool          // the list after the burst had the last change
	AfterBurst time.Duration // until a list said what changed after it
	Slow       bool          // a receiver that slept found the newest list at once
	Closed     time.Duration // from the end of the context to the closed channel
	Leaked     int           // goroutines left
}

const burstSize = 3000

// watchStoryOf runs in a namespace with an interface w0 that is down.
func watchStoryOf(ctx context.Context, _ struct{}) (s watchStory, err error) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lists, err := Watch(ctx)
	if err != nil {
		return s, err
	}
	wait := func(what string, done func(Interface) bool) (came int, took time.Duration, err error) {
		begin, timeout := time.Now(), time.After(time.Minute)
		for {
			select {
			case list := <-lists:
				came++
				for _, i := range list {
					if i.Name == "w0" && done(i) {
						return came, time.Since(begin), nil
					}
				}
			case <-timeout:
				return came, 0, fmt.Errorf("no list said that %s", what)
			}
		}
	}
	if _, _, err = wait("w0 is down", func(i Interface) bool { s.First = !i.Up; return true }); err != nil {
		return s, err
	}
	if err = shell("ip link set dev w0 up; ip link set dev w1 up; ip address add 10.0.0.1/24 dev w0"); err != nil {
		return s, err
	}
	if _, s.Up, err = wait("w0 is up", func(i Interface) bool { return i.Carrier && len(i.Addresses) > 0 }); err != nil {
		return s, err
	}
	// The link-local address settles by itself; then nothing changes.
	for quiet := false; !quiet; {
		select {
		case <-lists:
		case <-time.After(2500 * time.Millisecond):
			quiet = true
		}
	}
	if err = shell("ip route add 192.0.2.0/24 dev w0; sleep 0.3; ip route del 192.0.2.0/24 dev w0"); err != nil {
		return s, err
	}
	select {
	case <-lists:
		s.Idle++
	case <-time.After(time.Second):
	}
	if err = burst("w0", burstSize); err != nil {
		return s, err
	}
	last := fmt.Sprintf("alias %d", burstSize)
	if s.Burst, _, err = wait("the burst is over", func(i Interface) bool { s.Last = i.Alias == last; return s.Last }); err != nil {
		return s, err
	}
	if s.Dropped, err = droppedNotifications(); err != nil {
		return s, err
	}
	if err = shell("ip link set dev w0 mtu 1400"); err != nil {
		return s, err
	}
	if _, s.AfterBurst, err = wait("the MTU is 1400", func(i Interface) bool { return i.MTU == 1400 }); err != nil {
		return s, err
	}
	// What is late on a busy host is new in another round; what is kept for later never is.
	for m := 1401; !s.Slow && m < 1500; m += 3 {
		if err = shell(fmt.Sprintf("for m in %d %d %d; do ip link set dev w0 mtu $m; sleep 0.5; done", m, m+1, m+2)); err != nil {
			return s, err
		}
		n, _, err := wait("the last MTU is there", func(i Interface) bool { return i.MTU == m+2 })
		if err != nil {
			return s, err
		}
		s.Slow = n == 1
	}
	cancel()
	begin := time.Now()
	for range lists {
	}
	s.Closed = time.Since(begin)
	for range 100 {
		if s.Leaked = runtime.NumGoroutine() - before; s.Leaked <= 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return s, nil
}

func shell(script string) error {
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", script, err, out)
	}
	return nil
}

// burst changes an interface's alias many times, faster than anyone listens.
func burst(name string, times int) error {
	var script strings.Builder
	for i := range times {
		fmt.Fprintf(&script, "link set dev %s alias \"alias %d\"\n", name, i+1)
	}
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(script.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("burst: %w: %s", err, out)
	}
	return nil
}

// droppedNotifications sums the Drops column of /proc/net/netlink.
func droppedNotifications() (int, error) {
	file, err := os.Open("/proc/self/net/netlink")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	sum := 0
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		columns := strings.Fields(lines.Text())
		if n, err := strconv.Atoi(columns[8]); err == nil {
			sum += n
		}
	}
	return sum, lines.Err()
}

func TestWatch(t *testing.T) {
	t.Parallel()
	n := namespace(t)
	if err := lab.Veth(n, "w0", n, "w1"); err != nil {
		t.Fatal(err)
	}
	var s watchStory
	if err := lab.Call(t.Context(), n, "watch", struct{}{}, &s); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", s)
	if s.Dropped == 0 {
		t.Errorf("the burst was too small to lose a notification, so this test proves nothing")
	}
	for _, tt := range []struct {
		what string
		ok   bool
	}{
		{"the list at the start", s.First},
		{"a change seen within a second", s.Up < time.Second},
		{"no list when nothing changed", s.Idle == 0},
		{"few lists for many changes", s.Burst <= 20},
		{"the last of many changes", s.Last},
		{"still watching after lost notifications", s.AfterBurst < 2*time.Second},
		{"the newest list for a slow receiver", s.Slow},
		{"closed at once", s.Closed < 500*time.Millisecond},
		{"no goroutine left", s.Leaked <= 0},
	} {
		if !tt.ok {
			t.Errorf("not so: %s", tt.what)
		}
	}
}

func TestWatchRefusesAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Watch(ctx); err == nil {
		t.Error("watches with an ended context")
	}
}
