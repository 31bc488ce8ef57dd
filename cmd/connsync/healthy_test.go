package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/conntrackd/prepare"
	"connsync/lab"
	"connsync/netcheck/check"
	"connsync/node"
)

// A healthy pair passes every check there is, before the first save and while
// it syncs, but for what its service manager does, which it has not.
func TestHealthyPairPassesEveryCheck(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	path := build(t)
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close()
	n, err := node.Find(ctx, node.Options{RunBy: "none"})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, c := range n.Plan(ctx, conntrackd.Defaults(), false) {
		status := " passed"
		if slices.Contains([]check.ID{check.ID(prepare.ItemUnit), check.ID(prepare.ItemResync)}, c.ID) {
			status = " unknown" // no service manager runs this pair's daemons
		}
		want = append(want, string(c.ID)+status)
	}
	settings := func(m *lab.Member) []string {
		return []string{"--enable", "--interface", lab.SyncInterface, "--current-ip", m.Sync.String(), "--peer-ip", pair.Other(m).Sync.String()}
	}
	ask := func(when string, arguments ...string) {
		t.Helper()
		start := time.Now()
		out, err := pair.A.Run(ctx, path, append([]string{"check", "--json"}, arguments...)...)
		took := time.Since(start)
		if err != nil {
			t.Fatalf("%s: %v\n%s", when, err, out)
		}
		var report check.Report
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatal(err)
		}
		var got, slow []string
		for _, r := range report.Results {
			got = append(got, string(r.ID)+" "+r.Status.String())
			if r.Took > 20*time.Millisecond {
				slow = append(slow, string(r.ID)+" "+r.Took.Round(time.Millisecond).String())
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n%s", when, diff, out)
		}
		t.Logf("%s: %d checks in %v; longest: %s", when, len(got), took.Round(time.Millisecond), strings.Join(slow, ", "))
	}
	if out, err := pair.B.Run(ctx, path, append([]string{"apply", "--first-node"}, settings(pair.B)...)...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ask("before the first save", settings(pair.A)...)
	if out, err := pair.A.Run(ctx, path, append([]string{"apply"}, settings(pair.A)...)...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ask("in sync")
}
