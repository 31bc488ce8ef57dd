package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"connsync/lab"
)

const linksIntroduction = `
Two sync links, each with a switch of its own; %d TCP connections through node A, %d more after each cut. A cut takes the carrier from both nodes, or
from A alone: B follows A. Without a lost carrier, as where a switch loses the messages, conntrackd stays, and the verdict says so.
Then all cables of A are cut, B takes over with the hook. How many connections went on, and what status on A had said:

`

// spareInterface is the second sync interface of both nodes.
const spareInterface = "eth3"

// linksRow is a scenario: one or both of two links are cut, then node A fails.
type linksRow struct {
	row
	Cuts   int
	OneEnd bool // A alone loses the carrier
}

// linksResult is what the verdict on A was after the last cut, and how many
// connections went on: those before the first cut, then those after each.
type linksResult struct {
	verdict  string
	survived []int
}

func allLinks() []linksRow {
	var rows []linksRow
	for _, cache := range []bool{false, true} {
		of := row{Sync: true, Cache: cache, Hook: hookOurs}
		rows = append(rows, linksRow{of, 1, false}, linksRow{of, 2, false}, linksRow{of, 1, true})
	}
	return rows
}

func (r linksRow) String() string {
	return fmt.Sprintf("two links, %s, %s", r.cut(), r.sync())
}

func (r linksRow) cut() string {
	if r.OneEnd {
		return "the first, at A"
	}
	return []string{"no cut", "the first cut", "the second cut too"}[r.Cuts]
}

const linksHeading = "two links          | sync                        | status on A | over B: before the cuts | after the first | after the second"

func (r linksRow) line(o outcome[linksResult]) string {
	line := fmt.Sprintf("%-18s | %-27s | ", r.cut(), r.sync())
	if o.err != nil {
		return line + "could not be run"
	}
	line += fmt.Sprintf("%-11s | %23d", o.of.verdict, o.of.survived[0])
	for i, width := range []int{15, 16} {
		cell := ""
		if i < r.Cuts {
			cell = fmt.Sprint(o.of.survived[i+1])
		}
		line += fmt.Sprintf(" | %*s", width, cell)
	}
	return line
}

// promise says what a result lacks: entries go over the second link when the first
// is cut, and when both are nothing goes over and status says so.
func (r linksRow) promise(got linksResult) string {
	want := linksResult{"two-way", []int{connections, connections}}
	if r.Cuts > 1 {
		want = linksResult{"silent", []int{connections, connections, 0}}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Sprintf("%v of %d connections each went on under %q, want %v under %q", got.survived, connections, got.verdict, want.survived, want.verdict)
	}
	return ""
}

func showLinks(ctx context.Context, out io.Writer, program string, parallel int, rows []linksRow) error {
	done := startLinks(ctx, program, parallel, rows)
	fmt.Fprintf(out, linksIntroduction, connections, connections)
	fmt.Fprintln(out, linksHeading)
	fmt.Fprintln(out, strings.Repeat("-", len(linksHeading)))
	var errs []error
	for i, r := range rows {
		o := <-done[i]
		fmt.Fprintln(out, r.line(o))
		if o.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r, o.err))
		} else if problem := r.promise(o.of); problem != "" {
			errs = append(errs, fmt.Errorf("%s: %s", r, problem))
		}
	}
	return errors.Join(errs...)
}

func startLinks(ctx context.Context, program string, parallel int, rows []linksRow) []chan outcome[linksResult] {
	return start(ctx, parallel, len(rows), func(ctx context.Context, i int) (linksResult, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return rows[i].run(ctx, program)
	})
}

func (r linksRow) run(ctx context.Context, program string) (res linksResult, err error) {
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()
	spare, err := lab.NewSwitch()
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, spare.Close()) }()
	s := &stage{pair: pair, program: program, row: r.row, links: map[*lab.Member]string{}}
	if err := s.addSpare(ctx, spare); err != nil {
		return res, err
	}
	if err := s.configure(ctx); err != nil {
		return res, err
	}
	var all []*lab.Connections
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	for cuts := range r.Cuts + 1 {
		if cuts > 0 {
			cut := []*lab.Switch{pair.Sync, spare}[cuts-1]
			if err := cut.Cut(pair.A.Port); err != nil {
				return res, err
			}
			if !r.OneEnd {
				if err := cut.Cut(pair.B.Port); err != nil {
					return res, err
				}
			}
			if res.verdict, err = s.awaitVerdict(ctx, []string{"", "two-way", "silent"}[cuts]); err != nil {
				return res, err
			}
		}
		c, err := s.connect(ctx)
		if err != nil {
			return res, err
		}
		all = append(all, c)
		if cuts > 1 {
			continue // nothing carries them
		}
		if err := s.replicated(ctx, pair.B, c, len(all)*connections); err != nil {
			return res, fmt.Errorf("after %d cuts: %w", cuts, err)
		}
	}
	if err := errors.Join(pair.Isolate(pair.A), spare.Cut(pair.A.Port)); err != nil {
		return res, err
	}
	if res.survived, err = s.during(func() error { return s.fail(ctx) }, all...); err != nil {
		return res, fmt.Errorf("node A fails: %w", err)
	}
	return res, nil
}

// addSpare gives both nodes a second sync interface, and [stage.configure] the link on
// it.
func (s *stage) addSpare(ctx context.Context, spare *lab.Switch) error {
	address := func(m *lab.Member) netip.Prefix {
		return netip.MustParsePrefix(map[string]string{"a": "10.3.0.101/24", "b": "10.3.0.102/24"}[m.Port])
	}
	for _, m := range []*lab.Member{s.pair.A, s.pair.B} {
		if err := spare.Plug(m.Port, m.Namespace, spareInterface, 0); err != nil {
			return err
		}
		for _, command := range []string{
			"ip address add " + address(m).String() + " dev " + spareInterface,
			"nft add rule inet filter input iifname " + spareInterface + " accept",
		} {
			words := strings.Fields(command)
			if out, err := m.Run(ctx, words[0], words[1:]...); err != nil {
				return fmt.Errorf("%s: %s: %w\n%s", m.Name(), command, err, out)
			}
		}
		s.links[m] = fmt.Sprintf("%s %v %v 3781", spareInterface, address(m), address(s.pair.Other(m)))
	}
	return nil
}

// awaitVerdict waits until status on A says the verdict, and returns what it said
// last.
func (s *stage) awaitVerdict(ctx context.Context, want string) (string, error) {
	for deadline := time.Now().Add(3 * patience); ; {
		said, err := s.status(ctx, s.pair.A)
		if err != nil {
			return "", err
		}
		if said.Verdict == want || time.Now().After(deadline) {
			return said.Verdict, nil
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return said.Verdict, err
		}
	}
}
