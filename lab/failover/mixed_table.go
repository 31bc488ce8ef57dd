package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"connsync/lab/flows"
)

const mixedIntroduction = `
Connections of every kind, %d each unless said; from the moment they are there both nodes let no new one begin. All cables of A are cut, B takes over.
How many went on. "said" is what status on A had said of the conntrack entries: how many would survive.
FIN is TCP half closed, SYN is TCP in SYN_RECV, FTP its control connections, PASV and PORT its data connections, SIP its signalling, RTP the media of
its calls, of which the caller speaks first; these three were announced before the failure, and begin after it. ExpectationSync is on unless said.
In use: the kernel's timeouts of UDP, 30 and 120 s, are shortened to 6 s, and ten minutes to 30 s; that of TCP is 12 s. Elsewhere they are long
enough for what is idle.

`

// callsAre says why not all of what a call of SIP announces gets to the peer.
const callsAre = "the peer's kernel takes the media that a call expects for signalling, of which it keeps one;\n" +
	"with the states in the kernel that is the newest, which is RTCP. What an INVITE announces that is the first packet of its connection is not replicated."

// columns are the kinds in the order of the table, with what stands above them.
var columns = []struct {
	kind flows.Kind
	head string
}{
	{flows.TCP, "TCP"}, {flows.TCP6, "TCP6"}, {flows.HalfClosed, "FIN"}, {flows.HalfOpen, "SYN"}, {flows.UDP, "UDP"}, {flows.UDP6, "UDP6"},
	{flows.ICMP, "ICMP"}, {flows.ICMP6, "ICMP6"}, {flows.ESP, "ESP"}, {flows.SCTP, "SCTP"}, {flows.GRE, "GRE"}, {flows.FTPControl, "FTP"},
	{flows.FTPPassive, "PASV"}, {flows.FTPActive, "PORT"}, {flows.SIPControl, "SIP"}, {flows.SIPMedia, "RTP"},
}

func showMixed(ctx context.Context, out io.Writer, program string, parallel int, all []mixed) error {
	done := startMixed(ctx, program, parallel, all)
	fmt.Fprintf(out, mixedIntroduction, eachKind)
	head := mixedHeading()
	fmt.Fprintln(out, head)
	fmt.Fprintln(out, strings.Repeat("-", len(head)))
	var errs []error
	for i, x := range all {
		o := <-done[i]
		fmt.Fprintln(out, x.line(o))
		if o.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", x, o.err))
		}
		for _, problem := range x.problems(o.of) {
			errs = append(errs, fmt.Errorf("%s: %s", x, problem))
		}
	}
	for _, k := range flows.Kinds() {
		if why := k.Lost(); why != "" {
			fmt.Fprintf(out, "%s does not go on: %s.\n", k, why)
		}
	}
	fmt.Fprintln(out, "RTP begins on B with the external cache alone: "+callsAre)
	return errors.Join(errs...)
}

func startMixed(ctx context.Context, program string, parallel int, all []mixed) []chan outcome[tally] {
	return start(ctx, parallel, len(all), func(ctx context.Context, i int) (tally, error) {
		ctx, cancel := context.WithTimeout(ctx, limit+all[i].InUse)
		defer cancel()
		return all[i].run(ctx, program)
	})
}

func mixedHeading() string {
	head := fmt.Sprintf("%-32s| %-25s| %-18s", "scenario", "sync", "hook")
	for _, c := range columns {
		head += fmt.Sprintf("|%6s", c.head)
	}
	return head + "| entries gone on | said"
}

func (x mixed) line(o outcome[tally]) string {
	line := fmt.Sprintf("%-32s| %-25s| %-18s", x.Name, strings.TrimPrefix(x.sync(), "states in "), x.Hook)
	if o.err != nil {
		return line + "| could not be run"
	}
	t := o.of
	for _, c := range columns {
		cell := ""
		if t.opened[c.kind] > 0 {
			cell = fmt.Sprint(t.survived[c.kind])
		}
		line += fmt.Sprintf("|%6s", cell)
	}
	return line + fmt.Sprintf("| %6d of %6d| %s", t.sum(t.survived), t.sum(t.opened), t.said)
}

// String is what was said, in a few words.
func (s *said) String() string {
	if s == nil {
		return "not tested"
	}
	words := s.Verdict
	if s.Verdict != "two-way" && s.Cause != "" {
		words += ": " + s.Cause
	}
	switch {
	case s.Coverage == nil:
		return words
	case s.Coverage.Error != "":
		return words + ": " + s.Coverage.Error
	}
	return fmt.Sprintf("%d of %d, %s", s.Coverage.Survive, s.Coverage.Total, words)
}

// String names the scenario.
func (x mixed) String() string { return fmt.Sprintf("%s, sync %s, %s", x.Name, x.sync(), x.Hook) }

// problems are what a result lacks of what is promised, and where it is other
// than what was said before.
func (x mixed) problems(t tally) (problems []string) {
	for _, c := range columns {
		survived, opened := t.survived[c.kind], t.opened[c.kind]
		switch {
		case !x.Sync && survived > 0:
			problems = append(problems, fmt.Sprintf("%s: %d of %d survived without sync; the scenario proves nothing", c.kind, survived, opened))
		case x.Unexpected && c.kind.Expected():
			if survived > 0 {
				problems = append(problems, fmt.Sprintf("%s: %d of %d survived without ExpectationSync; the scenario proves nothing", c.kind, survived, opened))
			}
		case x.kept() && c.kind.Lost() == "" && survived < opened && (x.Cache || c.kind != flows.SIPMedia):
			problems = append(problems, fmt.Sprintf("%s: %d of %d survived", c.kind, survived, opened))
		}
	}
	if t.said == nil || t.said.Coverage == nil {
		return problems
	}
	entries, promised := 0, 0
	for k, n := range t.survived {
		if !k.Expected() && k.Lost() == "" {
			entries += n
		}
	}
	for _, p := range t.said.Coverage.Protocols {
		if p.Protocol != "sctp" && p.Protocol != "gre" {
			promised += p.Survive
		}
	}
	if promised = min(promised, t.said.Coverage.Survive); entries != promised {
		problems = append(problems, fmt.Sprintf("%d entries went on, and status had said %d (%s)", entries, promised, t.said))
	}
	return problems
}
