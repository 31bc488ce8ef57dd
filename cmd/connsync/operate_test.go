package main

import (
	"context"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"connsync/lab"
)

// The operator resyncs, flushes and restarts from the status screen, and sees
// what came of it.
func TestOperateFromTheStatusScreen(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	path := build(t)
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close()
	for _, m := range []*lab.Member{pair.B, pair.A} {
		if out, err := m.Run(ctx, path, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
			"--current-ip", m.Sync.String(), "--peer-ip", pair.Other(m).Sync.String()); err != nil {
			t.Fatalf("apply on %s: %v\n%s", m.Name(), err, out)
		}
	}
	connections, err := pair.Connect(ctx, 20)
	if err != nil {
		t.Fatal(err)
	}
	defer connections.Close()

	tm := open(t, pair.A.Command(path), func(start func() error) error { return start() })
	tm.see("Connection Sync Settings", "sync enabled", "[ Status ]")
	tm.press(escKey)
	tm.see("> [ Quit ]") // it was a key of its own, not the start of one
	tm.press("\x1b[D")
	tm.see("> [ Status ]")
	tm.press(enter)
	tm.see("In sync both ways", "s resync")

	tm.press("s")
	tm.see("Resync now?", "> [ No ]")
	tm.press("y")
	// The messages of this node's connsync to the peer's are one or two more.
	sent := regexp.MustCompile(`sent the 2[0-2]\b`)
	tm.see("Resync: the peer has no connections to send (asked ")
	tm.until("says what was sent", sent.MatchString)

	tm.press("f")
	tm.see("Flush the caches")
	tm.press(tab, enter)
	tm.see("Flush caches: the caches now hold ")

	before := daemonOf(t, pair.A)
	tm.press("t")
	tm.see("Restart conntrackd?")
	tm.press("n")
	tm.gone("Restart conntrackd?")
	if now := daemonOf(t, pair.A); now != before {
		t.Fatalf("restarted though the answer was no: process %d, now %d", before, now)
	}
	tm.press("t", "y")
	tm.see("took over after 0.", "In sync both ways")
	tm.until("says what was sent", sent.MatchString)
	if now := daemonOf(t, pair.A); now == before {
		t.Errorf("process %d still runs", before)
	}
	if shows := tm.shows(); strings.Contains(shows, "FAIL") {
		t.Errorf("it shows:\n%s", shows)
	}
	if err := pair.B.WaitEstablished(ctx, connections); err != nil {
		t.Errorf("after the restart: %v", err)
	}

	// A restart that takes long does not hold the screen, nor is it cut short.
	before = daemonOf(t, pair.A)
	if err := pair.A.Signal(ctx, "conntrackd", syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	tm.press("t")
	tm.see("Restart conntrackd?")
	tm.press("y")
	tm.see("Restart is under way.")
	tm.press(ctrlC)
	tm.see("the change in progress is completed or rolled back first")
	if err := pair.A.Signal(ctx, "conntrackd", syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if status := tm.ends(); status != exitDone {
		t.Errorf("exit status %d", status)
	}
	if now := daemonOf(t, pair.A); now == before {
		t.Errorf("process %d still runs", before)
	}
}

func daemonOf(t *testing.T, m *lab.Member) int {
	t.Helper()
	for limit := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		pids, err := m.Processes("conntrackd")
		if err == nil && len(pids) == 1 {
			return pids[0]
		}
		if time.Now().After(limit) { // until then it may be a child that the daemon forks for a dump
			t.Fatalf("daemons on %s: %v, %v", m.Name(), pids, err)
		}
	}
}
