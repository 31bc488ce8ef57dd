package check

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answering makes a check that answers after a while.
func answering(id ID, after time.Duration, s Status, needs ...ID) Check {
	return Check{ID: id, Title: string(id), Severity: Blocker, Needs: needs, Run: func(ctx context.Context) Finding {
		select {
		case <-ctx.Done():
			return Finding{Status: Unknown, Detail: "interrupted"}
		case <-time.After(after):
			return Finding{Status: s}
		}
	}}
}

// answeringBeside makes a check that passes after a while, beside another one.
func answeringBeside(id ID, after time.Duration, beside ...ID) Check {
	c := answering(id, after, Passed)
	c.Beside = beside
	return c
}

// outcome is a report in short: id, status and milliseconds.
type outcome struct {
	ID     ID
	Status Status
	Millis int64
	Detail string
}

func outcomes(r Report) []outcome {
	var out []outcome
	for _, res := range r.Results {
		out = append(out, outcome{res.ID, res.Status, res.Took.Milliseconds(), res.Detail})
	}
	return out
}

func TestRunIsATimetable(t *testing.T) {
	const ms = time.Millisecond
	mild := Check{ID: "mild", Severity: Blocker, Run: func(context.Context) Finding {
		return Finding{Status: Failed, Mild: true}
	}}
	for _, tt := range []struct {
		name   string
		checks []Check
		took   time.Duration
		want   []outcome
	}{
		{"nothing", nil, 0, nil},
		{"all at once",
			[]Check{answering("a", 300*ms, Passed), answering("b", 200*ms, Passed), answering("c", 100*ms, Failed)}, 300 * ms,
			[]outcome{{"a", Passed, 300, ""}, {"b", Passed, 200, ""}, {"c", Failed, 100, ""}}},
		{"one after the other, listed the other way round",
			[]Check{answering("b", 200*ms, Passed, "a"), answering("a", 100*ms, Passed)}, 300 * ms,
			[]outcome{{"b", Passed, 200, ""}, {"a", Passed, 100, ""}}},
		{"a failure skips all that stands on it and names the root",
			[]Check{answering("a", 100*ms, Failed), answering("b", ms, Passed, "a"), answering("c", ms, Passed, "b"), answering("d", 50*ms, Passed)}, 100 * ms,
			[]outcome{{"a", Failed, 100, ""}, {"b", Skipped, 0, `needs "a"`},
				{"c", Skipped, 0, `needs "a"`}, {"d", Passed, 50, ""}}},
		{"a failure skips without waiting for the other needs",
			[]Check{answering("a", 10*ms, Failed), answering("b", 100*ms, Passed), answering("c", ms, Passed, "b", "a")}, 100 * ms,
			[]outcome{{"a", Failed, 10, ""}, {"b", Passed, 100, ""}, {"c", Skipped, 0, `needs "a"`}}},
		{"unknown skips nothing",
			[]Check{answering("a", 100*ms, Unknown), answering("b", 100*ms, Passed, "a")}, 200 * ms,
			[]outcome{{"a", Unknown, 100, ""}, {"b", Passed, 100, ""}}},
		{"a mild failure skips nothing",
			[]Check{mild, answering("b", 100*ms, Passed, "mild")}, 100 * ms,
			[]outcome{{"mild", Failed, 0, ""}, {"b", Passed, 100, ""}}},
		{"a need that is not in the plan is ignored",
			[]Check{answering("a", ms, Passed, "gone")}, ms, []outcome{{"a", Passed, 1, ""}}},
		{"checks that wait for one another",
			[]Check{answering("b", ms, Passed, "a"), answering("a", ms, Passed, "b"), answering("c", 5*ms, Passed)}, 5 * ms,
			[]outcome{{"b", Unknown, 0, "these checks wait for one another: a, b"},
				{"a", Unknown, 0, "these checks wait for one another: a, b"}, {"c", Passed, 5, ""}}},
		{"one beside another takes no longer than both",
			[]Check{answering("a", 300*ms, Passed), answeringBeside("b", 200*ms, "a"), answering("c", 50*ms, Passed, "b")}, 350 * ms,
			[]outcome{{"a", Passed, 300, ""}, {"b", Passed, 200, ""}, {"c", Passed, 50, ""}}},
		{"one beside another that passes first",
			[]Check{answering("a", 100*ms, Passed), answeringBeside("b", 200*ms, "a")}, 200 * ms,
			[]outcome{{"a", Passed, 100, ""}, {"b", Passed, 200, ""}}},
		{"a failure interrupts those beside it, and skips what stands on them",
			[]Check{answering("a", 100*ms, Failed), answeringBeside("b", time.Hour, "a"), answering("c", ms, Passed, "b")}, 100 * ms,
			[]outcome{{"a", Failed, 100, ""}, {"b", Skipped, 0, `needs "a"`}, {"c", Skipped, 0, `needs "a"`}}},
		{"a failure skips those beside it that have answered",
			[]Check{answeringBeside("b", 50*ms, "a"), answering("a", 100*ms, Failed)}, 100 * ms,
			[]outcome{{"b", Skipped, 0, `needs "a"`}, {"a", Failed, 100, ""}}},
		{"unknown lets those beside it count",
			[]Check{answering("a", 100*ms, Unknown), answeringBeside("b", 50*ms, "a")}, 100 * ms,
			[]outcome{{"a", Unknown, 100, ""}, {"b", Passed, 50, ""}}},
		{"one that waits for what stands on it",
			[]Check{answeringBeside("a", ms, "b"), answering("b", ms, Passed, "a")}, ms,
			[]outcome{{"a", Unknown, 0, "these checks wait for one another: a, b"}, {"b", Unknown, 0, "these checks wait for one another: a, b"}}},
		{"no answer, and nothing to ask",
			[]Check{answering("a", ms, Pending), {ID: "b"}}, ms,
			[]outcome{{"a", Unknown, 1, "the check gave no answer"}, {"b", Unknown, 0, "this check cannot be asked here"}}},
		{"a panic is the check's own",
			[]Check{{ID: "a", Run: func(context.Context) Finding { panic("no such thing") }}, answering("b", ms, Passed)}, ms,
			[]outcome{{"a", Unknown, 0, "the check itself failed: no such thing"}, {"b", Passed, 1, ""}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				seen := map[ID]int{}
				report := Run(t.Context(), tt.checks, func(r Result) { seen[r.ID]++ })
				if diff := cmp.Diff(tt.want, outcomes(report)); diff != "" {
					t.Errorf("report (-want +got):\n%s", diff)
				}
				if took := time.Since(begin); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				for _, c := range tt.checks {
					if seen[c.ID] != 1 {
						t.Errorf("%s was streamed %d times", c.ID, seen[c.ID])
					}
				}
			})
		})
	}
}

func TestRunStreamsResultsAsTheyArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var order []ID
		var at []time.Duration
		Run(t.Context(), []Check{
			answering("slow", 3*time.Second, Passed), answering("fast", time.Second, Passed), answering("next", time.Second, Passed, "fast"),
		}, func(r Result) {
			order, at = append(order, r.ID), append(at, time.Since(begin))
		})
		if diff := cmp.Diff([]ID{"fast", "next", "slow"}, order); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]time.Duration{time.Second, 2 * time.Second, 3 * time.Second}, at); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRunStopsAtOnce(t *testing.T) {
	// One check is done, one does not listen to its context, one waits for it.
	checks := func(release chan struct{}) []Check {
		return []Check{
			answering("done", time.Second, Passed),
			{ID: "deaf", Severity: Blocker, Run: func(context.Context) Finding { <-release; return Finding{Status: Passed} }},
			answering("waiting", time.Second, Passed, "deaf"),
		}
	}
	for _, tt := range []struct {
		name, detail string
		ctx          func(context.Context) (context.Context, context.CancelFunc)
		cause        error
	}{
		{"cancelled", "cancelled", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(2*time.Second, cancel)
			return ctx, cancel
		}, context.Canceled},
		{"deadline", "out of time", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 2*time.Second)
		}, context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer close(release)
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				begin, streamed := time.Now(), 0
				report := Run(ctx, checks(release), func(Result) { streamed++ })
				if took := time.Since(begin); took != 2*time.Second {
					t.Errorf("returned after %v", took)
				}
				want := []outcome{{"done", Passed, 1000, ""}, {"deaf", Unknown, 2000, tt.detail}, {"waiting", Unknown, 0, tt.detail}}
				if diff := cmp.Diff(want, outcomes(report)); diff != "" {
					t.Error(diff)
				}
				if streamed != 3 {
					t.Errorf("%d results streamed", streamed)
				}
				if err := report.Results[1].Err; !errors.Is(err, tt.cause) {
					t.Errorf("cause is %v", err)
				}
				if v := report.Verdict(); v != VerdictUnknown {
					t.Errorf("verdict %q", v)
				}
			})
		})
	}
}

func TestRunAsksNothingWhenCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	asked := false
	report := Run(ctx, []Check{{ID: "a", Run: func(context.Context) Finding { asked = true; return Finding{Status: Passed} }}}, nil)
	if asked || report.Results[0].Status != Unknown || report.Results[0].Detail != "cancelled" {
		t.Errorf("asked %v, result %+v", asked, report.Results[0])
	}
}

func TestVerdict(t *testing.T) {
	result := func(s Status, v Severity) Result { return Result{Severity: v, Finding: Finding{Status: s}} }
	for _, tt := range []struct {
		name    string
		results []Result
		want    Verdict
	}{
		{"nothing was looked at", nil, VerdictUnknown},
		{"all good", []Result{result(Passed, Blocker), result(Passed, Warning)}, VerdictPass},
		{"a warning failed", []Result{result(Failed, Warning), result(Passed, Blocker)}, VerdictWarn},
		{"a warning could not run", []Result{result(Unknown, Warning)}, VerdictWarn},
		{"a warning was skipped", []Result{result(Skipped, Warning)}, VerdictWarn},
		{"a blocker could not run", []Result{result(Unknown, Blocker), result(Failed, Warning)}, VerdictUnknown},
		{"a blocker was skipped", []Result{result(Failed, Warning), result(Skipped, Blocker)}, VerdictUnknown},
		{"a blocker is not finished", []Result{result(Pending, Blocker)}, VerdictUnknown},
		{"a blocker failed", []Result{result(Unknown, Blocker), result(Failed, Warning), result(Failed, Blocker)}, VerdictBlocked},
	} {
		if got := (Report{tt.results}).Verdict(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestBlockersAndMildness(t *testing.T) {
	fail := func(id ID, s Severity, mild bool) Check {
		return Check{ID: id, Severity: s, Run: func(context.Context) Finding { return Finding{Status: Failed, Mild: mild} }}
	}
	report := Run(t.Context(), []Check{fail("a", Blocker, true), fail("b", Blocker, false), fail("c", Warning, false)}, nil)
	var ids []ID
	for _, r := range report.Blockers() {
		ids = append(ids, r.ID)
	}
	if diff := cmp.Diff([]ID{"b"}, ids); diff != "" {
		t.Error(diff)
	}
	if a, _ := report.Result("a"); a.Severity != Warning {
		t.Errorf("a mild failure has severity %v", a.Severity)
	}
	if _, ok := report.Result("none"); ok {
		t.Error("found a result that is not there")
	}
}

func TestReportJSON(t *testing.T) {
	report := Report{[]Result{{ID: "link-up", Title: "Interface is up", Severity: Blocker, Took: 1234567 * time.Nanosecond,
		Finding: Finding{Status: Failed, Detail: "eth1 is down", Remedy: "ip link set dev eth1 up", Err: errors.New("not shown")}}}}
	got, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"verdict":"blocked","checks":[{"id":"link-up","title":"Interface is up","status":"failed","severity":"blocker",` +
		`"detail":"eth1 is down","remedy":"ip link set dev eth1 up","millis":1.234}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	var back Report
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(back); err != nil || string(again) != want {
		t.Errorf("read back: %s, %v", again, err)
	}
	if empty, _ := json.Marshal(Report{}); string(empty) != `{"verdict":"unknown","checks":[]}` {
		t.Errorf("empty report: %s", empty)
	}
	if err := json.Unmarshal([]byte(`{"checks":[{"status":"fine"}]}`), &back); err == nil || !strings.Contains(err.Error(), `unknown status "fine"`) {
		t.Errorf("a status that does not exist: %v", err)
	}
}
