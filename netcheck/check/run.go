package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Run asks all checks, each as soon as what it needs has been answered, and
// returns the report in the order of checks. each, unless nil, is called once
// for every result as it arrives, in any order, from the goroutine that called
// Run and never twice at a time.
//
// When ctx ends Run returns at once: what is not answered yet is [Unknown]. A
// check that panics is Unknown too.
func Run(ctx context.Context, checks []Check, each func(Result)) Report {
	r := newRun(checks, each)
	for r.unfinished > 0 {
		if ctx.Err() != nil {
			r.drain(ctx)
			r.cancel(ctx)
			break
		}
		r.advance(ctx)
		if r.unfinished == 0 {
			break
		}
		if r.running == 0 {
			r.giveUpCycle()
			break
		}
		select {
		case a := <-r.answers:
			r.receive(a)
		case <-ctx.Done():
		}
	}
	return Report{Results: r.results}
}

// answer is what a check's goroutine sends back.
type answer struct {
	index   int
	finding Finding
	took    time.Duration
}

// run is the state of one Run; only the goroutine that called it touches it.
type run struct {
	checks     []Check
	each       func(Result)
	byID       map[ID]int
	results    []Result
	started    []time.Time // zero when not started
	stop       []context.CancelFunc
	held       []*answer // which wait for those beside them
	done       []bool
	unfinished int
	running    int
	// answers holds every possible answer, so that a check that outlives a
	// cancelled run does not block.
	answers chan answer
}

func newRun(checks []Check, each func(Result)) *run {
	r := &run{
		checks: checks, each: each,
		byID:       make(map[ID]int, len(checks)),
		results:    make([]Result, len(checks)),
		started:    make([]time.Time, len(checks)),
		stop:       make([]context.CancelFunc, len(checks)),
		held:       make([]*answer, len(checks)),
		done:       make([]bool, len(checks)),
		unfinished: len(checks),
		answers:    make(chan answer, len(checks)),
	}
	for i, c := range checks {
		r.byID[c.ID] = i
		r.results[i] = Result{ID: c.ID, Title: c.Title, Severity: c.Severity}
	}
	return r
}

// advance starts, skips or finishes every check that can be. One that ends can make
// others ready, so it goes on until nothing changes.
func (r *run) advance(ctx context.Context) {
	for changed := true; changed; {
		changed = false
		for i := range r.checks {
			if !r.done[i] && r.step(ctx, i) {
				changed = true
			}
		}
	}
}

// step brings one check on, and reports whether that has finished it.
func (r *run) step(ctx context.Context, i int) (finished bool) {
	c := r.checks[i]
	ready, broken := r.answered(c.Needs)
	judged, brokenBeside := r.answered(c.Beside)
	broken = cmp.Or(broken, brokenBeside)
	switch {
	case broken != "":
		r.finish(i, Finding{Status: Skipped, Detail: fmt.Sprintf("needs %q", r.checks[r.byID[broken]].Title)}, 0)
		return true
	case r.held[i] != nil && judged:
		r.finish(i, r.held[i].finding, r.held[i].took)
		return true
	case r.started[i].IsZero() && ready && ctx.Err() == nil:
		r.start(ctx, i)
	}
	return false
}

// answered reports whether all of the checks are answered, and the root of the
// failure when one of them failed or was skipped.
func (r *run) answered(ids []ID) (all bool, broken ID) {
	all = true
	for _, id := range ids {
		i, ok := r.byID[id]
		switch {
		case !ok:
		case !r.done[i]:
			all = false
		case r.results[i].Status == Failed && !r.results[i].Mild:
			return false, id
		case r.results[i].Status == Skipped:
			_, needed := r.answered(r.checks[i].Needs)
			_, beside := r.answered(r.checks[i].Beside)
			return false, cmp.Or(needed, beside, id) // id where the check itself said skipped
		}
	}
	return all, ""
}

func (r *run) start(ctx context.Context, i int) {
	r.running++
	r.started[i] = time.Now()
	ctx, r.stop[i] = context.WithCancel(ctx)
	check := r.checks[i].Run
	go func() {
		begin := time.Now()
		f := protect(ctx, check)
		r.answers <- answer{i, f, time.Since(begin)}
	}()
}

// receive takes an answer; that of an interrupted check is nobody's any more.
func (r *run) receive(a answer) {
	r.running--
	if !r.done[a.index] {
		r.held[a.index] = &a
	}
}

// protect asks and turns everything that is no answer into Unknown.
func protect(ctx context.Context, ask func(context.Context) Finding) (f Finding) {
	defer func() {
		if p := recover(); p != nil {
			f = Finding{Status: Unknown, Detail: fmt.Sprintf("the check itself failed: %v", p),
				Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	if ask == nil {
		return Finding{Status: Unknown, Detail: "this check cannot be asked here"}
	}
	f = ask(ctx)
	if f.Status == Pending {
		f.Status = Unknown
		if f.Detail == "" {
			f.Detail = "the check gave no answer"
		}
	}
	return f
}

func (r *run) finish(i int, f Finding, took time.Duration) {
	if r.stop[i] != nil {
		r.stop[i]()
	}
	r.done[i] = true
	r.unfinished--
	res := &r.results[i]
	res.Finding, res.Took = f, took
	if (f.Status == Failed || f.Status == Unknown) && f.Mild {
		res.Severity = Warning
	}
	if r.each != nil {
		r.each(*res)
	}
}

// drain takes the answers that had arrived when ctx ended.
func (r *run) drain(ctx context.Context) {
	for {
		select {
		case a := <-r.answers:
			r.receive(a)
		default:
			r.advance(ctx)
			return
		}
	}
}

func (r *run) cancel(ctx context.Context) {
	detail := "cancelled"
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		detail = "out of time"
	}
	for i := range r.checks {
		if r.done[i] {
			continue
		}
		var took time.Duration
		if !r.started[i].IsZero() {
			took = time.Since(r.started[i])
		}
		r.finish(i, Finding{Status: Unknown, Detail: detail, Err: context.Cause(ctx)}, took)
	}
}

// giveUpCycle answers the checks that wait for one another.
func (r *run) giveUpCycle() {
	var ids []string
	for i, c := range r.checks {
		if !r.done[i] {
			ids = append(ids, string(c.ID))
		}
	}
	slices.Sort(ids)
	for i := range r.checks {
		if !r.done[i] {
			r.finish(i, Finding{Status: Unknown, Detail: "these checks wait for one another: " + strings.Join(ids, ", ")}, 0)
		}
	}
}
