package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"connsync/lab"
)

// The story that the program exists for: one node is configured from a script,
// the other from the form, mistakes included, and then both daemons sync.
func TestPairIsConfiguredFromTheForm(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	program := build(t)
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close()

	if out, err := pair.B.Run(ctx, program, "apply", "--enable", "--first-node",
		"--interface", lab.SyncInterface, "--current-ip", pair.B.Sync.String(), "--peer-ip", pair.A.Sync.String(),
		"--send-buffer", "256K", "--receive-buffer", "256K"); err != nil {
		t.Fatalf("apply on B: %v\n%s", err, out)
	}

	tm := open(t, pair.A.Command(program), func(start func() error) error { return start() })
	tm.see("Connection Sync Settings", "sync disabled", "Interface Name")
	fillForm(tm, pair.A.Sync.String(), pair.B.Sync.String())
	linkChanges(tm, pair)
	setAdvanced(tm)
	save(tm)
	tm.see("In sync both ways")
	if out, err := pair.A.Run(ctx, "grep", "-w", "PurgeTimeout 15", "/etc/conntrackd/conntrackd.conf"); err != nil {
		t.Errorf("the advanced value is not in the file: %v\n%s", err, out)
	}

	for _, m := range []*lab.Member{pair.A, pair.B} {
		out, err := m.Run(ctx, program, "status", "--json")
		if err != nil {
			t.Errorf("status on %s: %v\n%s", m.Name(), err, out)
			continue
		}
		var s reported
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Fatalf("status on %s: %v\n%s", m.Name(), err, out)
		}
		if s.SendBuffer != 2*256<<10 || s.ReceiveBuffer != 2*256<<10 || !s.Bound {
			t.Errorf("status on %s: bound %v, buffers %d and %d, want both 524288", m.Name(), s.Bound, s.SendBuffer, s.ReceiveBuffer)
		}
	}

	connections, err := pair.Connect(ctx, 20)
	if err != nil {
		t.Fatal(err)
	}
	defer connections.Close()
	for _, m := range []*lab.Member{pair.A, pair.B} {
		if err := m.WaitEstablished(ctx, connections); err != nil {
			t.Errorf("through A, in the kernel of %s: %v", m.Name(), err)
		}
	}
	if err := pair.Activate(pair.B); err != nil {
		t.Fatal(err)
	}
	back, err := pair.Connect(ctx, 20)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if err := pair.A.WaitEstablished(ctx, back); err != nil {
		t.Errorf("through B, in the kernel of A: %v", err)
	}
	if alive := connections.Alive(time.Minute); alive != 20 {
		t.Errorf("%d of 20 connections survived the move to B", alive)
	}

	tm.ponder()
	tm.press(ctrlC)
	if status := tm.ends(); status != exitDone {
		t.Errorf("exit status %d, want 0", status)
	}
}

// fillForm sets every value on an empty form, with a mistake on the way, and
// ends on Save Changes.
func fillForm(tm *terminal, current, peer string) {
	tm.t.Helper()
	tm.press(space)
	tm.see("(*) Enable")

	tm.press(tab, enter) // the picker
	tm.see("Choose the sync interface", lab.SyncInterface)
	tm.press(lab.SyncInterface, enter)
	// Current IP is the one address of the interface.
	tm.see("Interface Name      * "+lab.SyncInterface, "> Current IP          * "+current)

	tm.press(tab) // to Peer IP
	tm.press(strings.Split("10.0.9.102/24", "")...)
	tm.press(tab)
	tm.see("! Peer IP: 10.0.9.102 is not in 10.0.0.0/24, the subnet of Current IP")
	tm.press(shiftTab, ctrlU)
	tm.gone("! Peer IP:")
	tm.press(strings.Split(peer, "")...)
	tm.press(tab, tab) // Port stays
	tm.press(ctrlU)
	tm.press(strings.Split("256K", "")...)
	tm.press(tab)
	tm.see("Receive Buffer Size * 256K") // follows
	tm.press(tab)
	tm.see("> [ Save Changes ]")
}

// linkChanges has the link fail and return under the form, without a key.
func linkChanges(tm *terminal, pair *lab.Pair) {
	tm.t.Helper()
	must := func(err error) {
		tm.t.Helper()
		if err != nil {
			tm.t.Fatal(err)
		}
	}
	whole := []string{"---- up ----", "replies to ARP and ping", "warning 0   failed 0   " + pair.B.Sync.Addr().String() + " is heard on UDP port 3780"}
	tm.see(append(whole, "The link, as it is now")...)
	must(pair.Sync.Cut(pair.A.Port))
	tm.see("---- no carrier ----", "was not asked", "failed 1")
	must(pair.Sync.Cut(pair.B.Port))
	must(pair.Sync.Mend(pair.A.Port))
	tm.see("---- up ----", "does not reply to ARP", "failed 1   nobody answers ARP for")
	must(pair.Sync.Mend(pair.B.Port))
	tm.see(whole...)
}

// setAdvanced opens the page behind the first one, sets a value there with a mistake on
// the way, and goes back.
func setAdvanced(tm *terminal) {
	tm.t.Helper()
	tm.press(ctrlO)
	tm.see("Connection Sync: advanced settings", "> Spare Links")
	tm.press(tab, tab, tab, tab, tab, tab)
	tm.see("> Purge Timeout ", "as conntrackd has it: 60")
	tm.press("1", "5", "s", tab)
	tm.see(`! purge timeout "15s" is not a whole number`)
	tm.press(shiftTab, "\x7f")
	tm.see("> Purge Timeout       * 15")
	tm.press(ctrlO)
	tm.see("Connection Sync Settings", "> [ Save Changes ]")
}

// save goes from Save Changes through checks and review to the apply.
func save(tm *terminal) {
	tm.t.Helper()
	tm.press(enter)
	tm.see("Enter goes on to the review.")
	tm.ponder()
	tm.press(enter)
	tm.see("[2 review]", "> [ Apply ]")
	tm.ponder()
	tm.press(enter)
	tm.see("[3 apply]")
}
