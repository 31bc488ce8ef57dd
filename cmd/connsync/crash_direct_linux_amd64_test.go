package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"connsync/lab"
)

// host is a node with a sync link to a neighbour that has the peer's address.
type host struct {
	*lab.Node
	t       *testing.T
	program string
}

func newHost(t *testing.T, program string) *host {
	t.Helper()
	node, err := lab.NewNode(t.Context(), "fw-a")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	peer, err := lab.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	if err := lab.Veth(node.Namespace, lab.SyncInterface, peer, lab.SyncInterface); err != nil {
		t.Fatal(err)
	}
	for _, end := range []struct {
		at      lab.Commander
		address string
	}{{node, "10.0.0.101/24"}, {peer, "10.0.0.102/24"}} {
		line := "ip address add " + end.address + " dev " + lab.SyncInterface + " && ip link set " + lab.SyncInterface + " up"
		if out, err := end.at.Command("sh", "-c", line).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return &host{node, t, program}
}

// save are the words that save a port and run conntrackd with it.
func (h *host) save(port string) []string {
	return []string{h.program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
		"--current-ip", "10.0.0.101/24", "--peer-ip", "10.0.0.102/24", "--port", port}
}

func (h *host) mustSave(port string) {
	h.t.Helper()
	if out, err := h.do(h.save(port)...); err != nil {
		h.t.Fatalf("save port %s: %v\n%s", port, err, out)
	}
}

func (h *host) do(words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	return h.Run(ctx, words[0], words[1:]...)
}

// content is the configuration file.
func (h *host) content() []byte {
	h.t.Helper()
	content, err := h.ReadFile(lab.ConfigPath)
	if err != nil {
		h.t.Fatal(err)
	}
	return content
}

// bound says whether the daemon runs with the file that is there.
func (h *host) bound() bool {
	h.t.Helper()
	cmd := h.Command(h.program, "status", "--json")
	out, _ := cmd.Output() // the verdict is its exit status, and nobody is there to be heard
	var s reported
	if err := json.Unmarshal(out, &s); err != nil {
		h.t.Fatalf("status: %v\n%s", err, out)
	}
	return s.Bound
}

// traced runs a save under a tracer. at is asked from the first call on that
// can change anything, with the number from there: what is read before comes
// in any order, since the checks run beside each other.
func (h *host) traced(port string, at func(number int, c systemCall) bool) (calls []systemCall, printed string, status int) {
	h.t.Helper()
	first := -1
	tr := &tracer{dirs: []string{"/etc/conntrackd", "/var/lib/connsync", "/run", "/var/run", "/var/lock"}, children: true}
	tr.at = func(number int, c systemCall) (bool, syscall.Errno) {
		if first < 0 && c.mayChange() && strings.Contains(c.on, "/history/") {
			first = number
		}
		return first >= 0 && at != nil && at(number-first, c), 0
	}
	err := h.Enter(func() (err error) {
		words := h.save(port)
		printed, status, err = tr.run(exec.Command(words[0], words[1:]...))
		return err
	})
	if err != nil || first < 0 {
		h.t.Fatalf("%v, exit status %d:\n%s", err, status, printed)
	}
	for _, c := range tr.calls[first:] {
		calls = append(calls, systemCall{c.name, strings.ReplaceAll(c.on, "000002", "N")})
	}
	return calls, printed, status
}

// With a daemon: killed at any call that changes a file, or that ends or starts
// the daemon, the next start finds the whole old or the whole new file and sees
// to it that the daemon runs with that one.
func TestSaveKilledWhileTheDaemonIsRestarted(t *testing.T) {
	program := build(t)
	h := newHost(t, program)
	h.mustSave("3780")
	old := h.content()
	calls, printed, status := h.traced("3999", nil)
	if status != exitDone {
		t.Fatalf("exit status %d:\n%s", status, printed)
	}
	saved := h.content()
	// Up to the record of the save nothing differs from a save without a daemon.
	begin := slices.IndexFunc(calls, func(c systemCall) bool { return c.name == "renameat" && strings.HasSuffix(c.on, "N.json") })
	var numbers []int
	service := 0
	for i, c := range calls {
		switch ofService := c.name == "kill" || c.name == "clone" || strings.HasPrefix(c.on, "/var/"); {
		case i < begin:
		case c.name == "kill", c.name == "clone", c.mayChange():
			numbers = append(numbers, i)
			if ofService {
				service++
			}
		}
	}
	t.Logf("measured: killed at %d calls of %d", len(numbers), len(calls))
	if begin < 0 || service < 2 {
		t.Fatalf("the save did not end and start the daemon: %v", calls)
	}

	work := make(chan int, len(numbers))
	for _, n := range numbers {
		work <- n
	}
	close(work)
	var mu sync.Mutex
	results := map[string]int{}
	t.Run("hosts", func(t *testing.T) {
		for i := range min(6, len(numbers)) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				h := newHost(t, program)
				for n := range work {
					h.mustSave("3780")
					which := killedWithDaemon(t, h, n, calls[n], map[string]string{string(old): "old", string(saved): "new"})
					mu.Lock()
					results[which]++
					mu.Unlock()
				}
			})
		}
	})
	t.Logf("measured: %v", results)
	if results["old, now old"] == 0 || results["new, now old"] == 0 || results["new, now new"] == 0 {
		t.Errorf("not every course was seen: %v", results)
	}
}

func killedWithDaemon(t *testing.T, h *host, at int, want systemCall, which map[string]string) string {
	history := ""
	_, printed, status := h.traced("3999", func(number int, c systemCall) bool {
		history += c.String() + "\n"
		return number == at
	})
	last := history[strings.LastIndexByte(strings.TrimSuffix(history, "\n"), '\n')+1:]
	if status != -1 || !strings.HasPrefix(last, want.name+" ") {
		t.Errorf("not killed at %s but at %s exit status %d:\n%s", want, last, status, printed)
		return ""
	}
	after := which[string(h.content())]
	if after == "" {
		t.Errorf("killed at %s, the file is neither the old nor the new one:\n%s", want, h.content())
		return ""
	}
	open, _ := h.do("grep", "-rl", "--include=0*.json", `"outcome": "saving"`, "/var/lib/connsync/history") // fails where there is none
	var said bytes.Buffer
	show := h.Command(h.program, "show")
	show.Stderr = &said
	began := time.Now()
	if err := show.Run(); err != nil {
		t.Errorf("killed at %s, the next start: %v\n%s", want, err, &said)
	}
	final := which[string(h.content())]
	switch {
	case strings.Contains(said.String(), "NOT"), strings.Count(said.String(), "\n") > 1,
		open != "" && !strings.Contains(said.String(), " was interrupted"),
		final != after && said.Len() == 0:
		t.Errorf("killed at %s, left open %q, the next start says %q", want, open, &said)
	}
	if final == "" || !h.bound() {
		t.Errorf("killed at %s: the file was the %s one and is %q, and the daemon does not run with it; %s", want, after, final, &said)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("killed at %s, the next start took %v", want, took)
	}
	if again, err := h.Command(h.program, "show").CombinedOutput(); err != nil || strings.Contains(string(again), "interrupted") {
		t.Errorf("killed at %s, the start after the next: %v\n%s", want, err, again)
	}
	return fmt.Sprintf("%s, now %s", after, final)
}
