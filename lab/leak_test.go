package lab

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childVariable makes this test binary hold a pair until it is killed.
const childVariable = "CONNSYNC_LAB_HOLD_A_PAIR"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		holdPair()
	}
	if os.Getenv(machineVariable) != "" {
		holdMachine()
	}
	Main(m, callables)
}

// holdPair makes a pair with running daemons, prints the namespaces of it and
// waits for its end.
func holdPair() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	p, err := NewPair(ctx, Options{})
	if err == nil {
		err = p.StartDaemons(ctx)
	}
	if err == nil {
		_, err = p.Connect(ctx, 3)
	}
	cancel()
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	var spaces []string
	for _, m := range []*Member{p.A, p.B} {
		for _, s := range m.spaces {
			spaces = append(spaces, namespaceOf(s.fd))
		}
	}
	for _, n := range []*Namespace{p.Client, p.Server, p.LAN.Namespace, p.WAN.Namespace, p.Sync.Namespace} {
		spaces = append(spaces, namespaceOf(int(n.handle)))
	}
	fmt.Println("holding", strings.Join(spaces, " "))
	select {}
}

func namespaceOf(fd int) string {
	name, _ := os.Readlink("/proc/self/fd/" + itoa(fd))
	return name
}

// The process that made a pair is killed outright: the kernel takes every
// process, namespace, mount and interface of the pair down with it.
func TestKilledLabLeavesNothing(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), childVariable+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	line, err := bufio.NewReader(out).ReadString('\n')
	names, ok := strings.CutPrefix(strings.TrimSpace(line), "holding ")
	if err != nil || !ok {
		cmd.Process.Kill()
		t.Fatalf("the child said %q, %v", line, err)
	}
	spaces := map[string]bool{}
	for _, name := range strings.Fields(names) {
		spaces[name] = true
	}
	if len(spaces) != 2*5+5 {
		t.Errorf("the pair has %d namespaces: %s", len(spaces), names)
	}
	before := holders(t, spaces)
	daemons := 0
	for _, command := range before {
		if command == "conntrackd" {
			daemons++
		}
	}
	if daemons != 2 {
		t.Errorf("the pair runs %d daemons: %v", daemons, before)
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "every namespace of the pair to be let go of", func() bool { return len(left(t, before, spaces)) == 0 })
	// Other tests may be at work on this host: only what is like ours counts.
	if strings.Contains(read(t, "/proc/self/mountinfo"), "upperdir=/run/") {
		t.Error("a node's mounts are seen on the host")
	}
	links := read(t, "/proc/net/dev")
	for _, name := range []string{"a", "b", "client", "server", bridgeName, SyncInterface, WANInterface} {
		if strings.Contains(links, " "+name+":") {
			t.Errorf("interface %s of the pair is on the host", name)
		}
	}
}

// process is a process for good: its ID is given to another one day, its start
// time, in clock ticks since the boot, is not.
type process struct{ pid, start string }

// holders returns the processes, with their command names, that are in one of
// the namespaces with a thread or hold one open.
func holders(t *testing.T, spaces map[string]bool) map[process]string {
	t.Helper()
	found := map[process]string{}
	for _, pattern := range []string{"/proc/[0-9]*/task/[0-9]*/ns/*", "/proc/[0-9]*/fd/*"} {
		links, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			if name, err := os.Readlink(link); err != nil || !spaces[name] {
				continue // gone meanwhile, or another's
			}
			pid := strings.Split(link, "/")[2]
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			if err != nil {
				continue
			}
			// proc_pid_stat(5): the command in parentheses is field 2, the start 22.
			front, rest, _ := strings.Cut(string(stat), ") ")
			_, command, _ := strings.Cut(front, "(")
			found[process{pid, strings.Fields(rest)[22-3]}] = command
		}
	}
	return found
}

// left returns the processes that have held the namespaces and still do. Others
// do not count: the kernel gives the number of a namespace that is gone to the
// next one that anybody makes.
func left(t *testing.T, before map[process]string, spaces map[string]bool) []string {
	t.Helper()
	var still []string
	for p, command := range holders(t, spaces) {
		if _, ok := before[p]; ok {
			still = append(still, command+" "+p.pid)
		}
	}
	return still
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func itoa(i int) string { return strconv.Itoa(i) }
