package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// numbersOfEntries are those of the history in the names of its files.
var numbersOfEntries = regexp.MustCompile(`\b[0-9]{6}\b`)

// traced runs a save under a tracer. at is asked from the first call on that
// can change anything: what is read before comes in any order, since the checks
// run beside each other. The calls are equal in all saves.
func (h *host) traced(port string, at func(c systemCall) bool) (calls []systemCall, printed string, status int) {
	h.t.Helper()
	tr := &tracer{dirs: []string{"/etc/conntrackd", "/var/lib/connsync", "/run", "/var/run", "/var/lock"}, children: true}
	tr.at = func(_ int, c systemCall) (bool, syscall.Errno) {
		if len(calls) == 0 && !(c.mayChange() && strings.Contains(c.on, "/history/")) {
			return false, 0
		}
		c.on = numbersOfEntries.ReplaceAllString(c.on, "N")
		calls = append(calls, c)
		return at != nil && at(c), 0
	}
	err := h.Enter(func() (err error) {
		words := h.save(port)
		printed, status, err = tr.run(exec.Command(words[0], words[1:]...))
		return err
	})
	if err != nil || len(calls) == 0 {
		h.t.Fatalf("%v, exit status %d:\n%s", err, status, printed)
	}
	return calls, printed, status
}

// With a daemon: killed at any call that changes a file, or that ends or starts
// the daemon, the next start finds the whole old or the whole new file and sees
// to it that the daemon runs with that one.
func TestSaveKilledWhileTheDaemonIsRestarted(t *testing.T) {
	t.Parallel()
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
					which := killedWithDaemon(t, h, calls, n, map[string]string{string(old): "old", string(saved): "new"})
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

// notReached is the course of a save that ended without the call.
const notReached = "not reached"

func killedWithDaemon(t *testing.T, h *host, calls []systemCall, at int, which map[string]string) string {
	want := calls[at]
	for try := 1; ; try++ {
		_, printed, status := h.traced("3999", reaches(calls, at))
		if status == -1 {
			break
		}
		if status != exitDone {
			t.Errorf("not killed at %s, exit status %d:\n%s", want, status, printed)
			return ""
		}
		if try == 3 {
			// A save on a busy host may write its record once more, when a verdict
			// comes late: another save does not get to that call. What is done once
			// is done in every save.
			if !slices.Contains(calls[:at], want) {
				t.Errorf("no save got to %s", want)
			}
			return notReached
		}
		h.mustSave("3780")
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
