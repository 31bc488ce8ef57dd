package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "connsync")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", program, "../../cmd/connsync")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// The promise: with settings saved by connsync and with its hook, every
// connection survives, there and back, in both cache modes, with and without
// NAT, whether A returns as it was or empty; and none does without sync, or the
// rest would prove nothing. Of the rows without a hook one
// shows what status says.
func TestPromise(t *testing.T) {
	t.Parallel()
	program := build(t)
	var rows []row
	for _, r := range allRows() {
		switch {
		case r.Mode != "", r.Group: // make failover has them
		case r.Sync && r.Hook == hookOurs,
			r.Cache && r.Hook == hookNone && r.NAT && !r.Crashed, // status says that none would survive
			!r.Sync && !r.Crashed,
			// keepalived in the harder way of each place for the states.
			r.Hook == hookKeepalived && r.Crashed:
			rows = append(rows, r)
		}
	}
	if len(rows) != 8+1+2+2 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, done := range start(t.Context(), 6, len(rows), func(ctx context.Context, i int) (result, error) { return rows[i].run(ctx, program) }) {
		o := <-done
		t.Logf("%s (%s)", line(rows[i], o), o.took.Round(time.Second))
		if o.err != nil {
			t.Errorf("%s: %v", rows[i], o.err)
			continue
		}
		for _, problem := range promise(rows[i], o.of) {
			t.Errorf("%s: %s", rows[i], problem)
		}
	}
}

// What NAT ties to an address that keepalived does not move is lost with the node, and status
// has said so.
func TestMasquerade(t *testing.T) {
	t.Parallel()
	r := row{Sync: true, Hook: hookKeepalived, Masquerade: true}
	o := <-start(t.Context(), 1, 1, func(ctx context.Context, _ int) (result, error) { return r.run(ctx, build(t)) })[0]
	if o.err != nil {
		t.Fatal(o.err)
	}
	said := o.of.Said
	if c := said.Coverage; o.of.OverB != 0 || c == nil || c.Error != "" || c.Survive != 0 || c.Total != connections || said.Verdict != "partial" ||
		!strings.Contains(said.Cause, "NAT ties 200 connections to 10.2.0.2, which keepalived does not move") {
		t.Errorf("%d went on, and status had said %s", o.of.OverB, said)
	}
}

// Entries go over the second link when the first is cut, and status is silent when
// both are. The other row of "make failover" is the first half of this one.
func TestLinksAreCut(t *testing.T) {
	t.Parallel()
	rows := allLinks()[1:2]
	o := <-startLinks(t.Context(), build(t), 1, rows)[0]
	t.Logf("%s (%s)", rows[0].line(o), o.took.Round(time.Second))
	if o.err != nil {
		t.Fatal(o.err)
	}
	if problem := rows[0].promise(o.of); problem != "" {
		t.Error(problem)
	}
	for _, got := range []linksResult{{"two-way", []int{connections, connections, 0}}, {"silent", []int{connections, connections, 1}}, {"silent", []int{connections, 199, 0}}} {
		if rows[0].promise(got) == "" {
			t.Errorf("%v was taken for a promise kept", got)
		}
	}
}

func TestFailureSaysWhy(t *testing.T) {
	for _, tt := range []struct{ program, want string }{
		{"/nowhere/connsync", "the program to show is not built"},
		{"/bin/false", "fw-b: connsync apply: "},
	} {
		if tt.program == "/bin/false" {
			_, err := row{Sync: true}.run(t.Context(), tt.program)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v", tt.program, err)
			}
			continue
		}
		if err := run(t.Context(), tt.program, "", "", 1, false, false, 1, 1); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.program, err)
		}
	}
}

// A result that lacks something is not taken for a promise kept.
func TestPromiseCanBeBroken(t *testing.T) {
	all := result{OverB: connections, Before: connections, Meantime: connections}
	lied := all
	lied.Said = spoken(t, `{"verdict":"two-way","coverage":{"survive":199,"total":200}}`)
	for _, tt := range []struct {
		row  row
		got  result
		kept bool
	}{
		{row{}, result{}, true},
		{row{}, result{OverB: 1}, false},
		{row{}, result{Meantime: 1}, false},
		{row{Sync: true, Hook: hookNone}, result{}, true},
		{row{Sync: true, Hook: hookOurs}, all, true},
		{row{Sync: true, Hook: hookOurs}, result{OverB: connections, Before: connections, Meantime: connections - 1}, false},
		{row{Sync: true, Hook: hookOurs}, lied, false},
		{row{Sync: true, Hook: hookKeepalived}, result{}, false},
	} {
		if problems := promise(tt.row, tt.got); (len(problems) == 0) != tt.kept {
			t.Errorf("%s, %+v: %q", tt.row, tt.got, problems)
		}
	}
}
