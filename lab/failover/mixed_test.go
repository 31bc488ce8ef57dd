package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"connsync/lab/flows"
)

// The promise for connections of every kind: where their states are on B, or the
// hook puts them there, they go on, as many as status had said; and none without
// sync.
func TestMixedPromise(t *testing.T) {
	t.Parallel()
	program := build(t)
	var some []mixed
	for _, x := range allMixed(false) {
		switch {
		case x.Name == "every kind" && (!x.Sync || x.Hook == hookOurs),
			x.IPv6 && !x.Cache && !x.Group,
			x.Switches > 0 && !x.Cache,
			x.InUse > 0:
			some = append(some, x)
		}
	}
	if len(some) != 3+1+1+2 {
		t.Fatalf("%d scenarios", len(some))
	}
	for i, done := range startMixed(t.Context(), program, len(some), some) {
		o := <-done
		t.Logf("%s (%s)", some[i].line(o), o.took.Round(time.Second))
		if o.err != nil {
			t.Errorf("%s: %v", some[i], o.err)
			continue
		}
		for _, problem := range some[i].problems(o.of) {
			t.Errorf("%s: %s", some[i], problem)
		}
	}
}

// A few random runs; "go run ./lab/failover -random" makes more.
func TestRandomFaults(t *testing.T) {
	t.Parallel()
	program := build(t)
	const seed, runs = 1, 3
	for i, done := range startRandom(t.Context(), program, runs, seed, runs) {
		o := <-done
		if o.err != nil || o.of.counterexample != "" {
			t.Errorf("%s: %v, %s", newTrial(seed+uint64(i)), o.err, o.of.counterexample)
		}
	}
}

func TestTrialIsThatOfItsSeed(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(400) {
		one, other := newTrial(seed), newTrial(seed)
		if one.String() != other.String() {
			t.Errorf("%s, and then %s", one, other)
		}
		if one.Fault.cache && !one.Cache || one.Fault.kernel && one.Cache || one.Fault.before && !one.Before || len(one.Kinds) == 0 {
			t.Errorf("%s cannot be run", one)
		}
		seen[one.Fault.name] = true
	}
	for _, f := range faults() {
		if !seen[f.name] {
			t.Errorf("no seed has %s", f.name)
		}
	}
}

// spoken is what status said, from its JSON.
func spoken(t *testing.T, text string) *said {
	t.Helper()
	var s said
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

func TestCounterexamples(t *testing.T) {
	const two = `{"verdict":"two-way","coverage":{"survive":5,"total":5,"protocols":[{"family":"ipv4","protocol":"tcp","survive":5}]}}`
	for _, tt := range []struct {
		said     string
		survived int
		want     string
	}{
		{two, 5, ""},
		{two, 4, "tcp ipv4: 5 would survive, 4 did"},
		{strings.Replace(two, "two-way", "partial", 1), 0, ""},
		{strings.ReplaceAll(strings.ReplaceAll(two, "\"survive\":5", "\"survive\":3"), "ipv4", "ipv4"), 3, ""},
		{strings.Replace(two, "\"total\":5", "\"total\":4", 1), 5, "5 connections, of which status had seen 4: [{Family:ipv4 Protocol:tcp Survive:5}]"},
		{`{"verdict":"two-way"}`, 5, "two-way without a word of the connections"},
		{`{"verdict":"two-way","coverage":{"error":"no table"}}`, 5, "two-way, and the connections could not be compared: no table"},
	} {
		got := tally{survived: map[flows.Kind]int{flows.TCP: tt.survived}, opened: map[flows.Kind]int{flows.TCP: 5}, said: spoken(t, tt.said)}
		if diff := cmp.Diff(tt.want, got.refutes()); diff != "" {
			t.Errorf("%s, %d survived (-want +got):\n%s", tt.said, tt.survived, diff)
		}
	}
}

func TestMixedPromiseCanBeBroken(t *testing.T) {
	none := spoken(t, `{"verdict":"partial","coverage":{"survive":0,"total":10,"protocols":[{"family":"ipv4","protocol":"udp","survive":10}]}}`)
	all := spoken(t, `{"verdict":"two-way","coverage":{"survive":10,"total":10,"protocols":[{"family":"ipv4","protocol":"udp","survive":10}]}}`)
	opened := map[flows.Kind]int{flows.UDP: 10, flows.SCTP: 10}
	ours := row{Sync: true, Hook: hookOurs}
	for _, tt := range []struct {
		row      row
		survived int
		said     *said
		want     []string
	}{
		{ours, 10, all, nil},
		{ours, 9, all, []string{"UDP: 9 of 10 survived", "9 entries went on, and status had said 10 (10 of 10, two-way)"}},
		{row{Sync: true, Cache: true, Hook: hookNone}, 0, none, nil},
		{row{Sync: true, Cache: true, Hook: hookNone}, 0, all, []string{"0 entries went on, and status had said 10 (10 of 10, two-way)"}},
		{row{Hook: hookNone}, 1, nil, []string{"UDP: 1 of 10 survived without sync; the scenario proves nothing"}},
	} {
		got := tally{survived: map[flows.Kind]int{flows.UDP: tt.survived}, opened: opened, said: tt.said}
		if diff := cmp.Diff(tt.want, mixed{row: tt.row}.problems(got)); diff != "" {
			t.Errorf("%+v, %d survived (-want +got):\n%s", tt.row, tt.survived, diff)
		}
	}
}

func TestMixedLine(t *testing.T) {
	x := mixed{Name: "every kind", row: row{Sync: true, Hook: hookOurs}}
	o := outcome[tally]{of: tally{survived: map[flows.Kind]int{flows.TCP: 9}, opened: map[flows.Kind]int{flows.TCP: 10}}}
	if head, line := mixedHeading(), x.line(o); strings.Count(head, "|") != strings.Count(line, "|") || !strings.Contains(line, "      9 of     10| not tested") {
		t.Errorf("\n%s\n%s", head, line)
	}
	o.err = context.Canceled
	if line := x.line(o); !strings.HasSuffix(line, "| could not be run") {
		t.Error(line)
	}
}
