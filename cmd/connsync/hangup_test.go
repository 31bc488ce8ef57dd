package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"connsync/lab"
)

// A hang-up of the form before the write leaves no trace. After it the save
// ends whole, though nobody watches any more: the program stays until the
// daemon runs with the new file, or with the old one.
func TestHangUpOfTheForm(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	program := build(t)
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close()
	run := func(m *lab.Member, args ...string) {
		t.Helper()
		if out, err := m.Run(ctx, program, args...); err != nil {
			t.Fatalf("%s on %s: %v\n%s", strings.Join(args, " "), m.Name(), err, out)
		}
	}
	for _, m := range []*lab.Member{pair.B, pair.A} {
		run(m, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
			"--current-ip", m.Sync.String(), "--peer-ip", pair.Other(m).Sync.String())
	}
	before, err := pair.A.ReadFile(lab.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}

	for _, at := range []struct {
		name, shows string
		apply       bool
		buffer      int
	}{
		{"in the review", "> [ Apply ]", false, 65536},
		{"after the write", "Write " + lab.ConfigPath, true, 131072},
	} {
		t.Run(at.name, func(t *testing.T) {
			tm := open(t, pair.A.Command(program), func(start func() error) error { return start() })
			tm.see("Connection Sync Settings", "(*) Enable")
			tm.press(tab, tab, tab, tab, tab, ctrlU)
			tm.press(strings.Split("128K", "")...)
			tm.press(tab, tab)
			tm.see("> [ Save Changes ]")
			tm.press(enter)
			tm.see("Enter goes on to the review.")
			tm.ponder()
			tm.press(enter)
			tm.see("> [ Apply ]")
			if at.apply {
				tm.ponder()
				tm.press(enter)
			}
			tm.see(at.shows)
			// As the kernel does: to the form, and not to the refresh that a save starts.
			if out, err := pair.A.Run(ctx, "pkill", "-HUP", "-f", "-x", program); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if status := tm.ends(); status != exitRefused {
				t.Errorf("exit status %d, want %d", status, exitRefused)
			}

			now, err := pair.A.ReadFile(lab.ConfigPath)
			if err != nil {
				t.Fatal(err)
			}
			if changed := string(now) != string(before); changed != at.apply {
				t.Errorf("the file has changed: %v\n%s", changed, now)
			}
			if want := fmt.Sprintf("SndSocketBuffer %d", at.buffer); !strings.Contains(string(now), want) {
				t.Errorf("the file lacks %s:\n%s", want, now)
			}
			out, err := pair.A.Run(ctx, program, "status", "--json")
			if err != nil {
				t.Errorf("status: %v\n%s", err, out)
			}
			if want := fmt.Sprintf(`"send_buffer_in_force": %d`, 2*at.buffer); !strings.Contains(out, want) {
				t.Errorf("the daemon does not run with the file:\n%s", out)
			}
			carriesOn(t, ctx, pair)
			if left, err := pair.A.Run(ctx, program, "history"); err != nil || strings.Contains(left, "interrupted") {
				t.Errorf("history: %v\n%s", err, left)
			}
		})
	}
}
