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
	before := processesIn(t, spaces)
	daemons := 0
	for _, p := range before {
		if strings.HasPrefix(p, "conntrackd ") {
			daemons++
		}
	}
	if daemons != 2 {
		t.Errorf("the pair runs %d daemons: %v", daemons, before)
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "every process of the pair to end", func() bool { return len(processesIn(t, spaces)) == 0 })
	for name := range holders(t) {
		if spaces[name] {
			t.Errorf("namespace %s is still held", name)
		}
	}
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

// processesIn returns the processes that are in one of the namespaces, as
// "command pid".
func processesIn(t *testing.T, spaces map[string]bool) []string {
	t.Helper()
	var found []string
	links, err := filepath.Glob("/proc/[0-9]*/ns/*")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, link := range links {
		name, err := os.Readlink(link)
		pid := strings.Split(link, "/")[2]
		if err != nil || !spaces[name] || seen[pid] {
			continue // gone meanwhile, or another's
		}
		seen[pid] = true
		comm, err := os.ReadFile("/proc/" + pid + "/comm")
		if err == nil {
			found = append(found, strings.TrimSpace(string(comm))+" "+pid)
		}
	}
	return found
}

// holders returns every namespace that a process is in, holds open or has
// mounted.
func holders(t *testing.T) map[string]bool {
	t.Helper()
	held := map[string]bool{}
	for _, pattern := range []string{"/proc/[0-9]*/task/[0-9]*/ns/*", "/proc/[0-9]*/fd/*"} {
		links, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			if name, err := os.Readlink(link); err == nil && strings.Contains(name, ":[") {
				held[name] = true
			}
		}
	}
	return held
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
