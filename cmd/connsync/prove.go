package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"connsync/conntrackd/health"
	"connsync/tui/text"
)

// proved is what status --prove --json prints.
type proved struct {
	Verdict   health.Verdict `json:"verdict"` // of the look before
	Proven    bool           `json:"proven"`
	Created   bool           `json:"created"`
	Passed    bool           `json:"passed_filter"`
	Arrived   bool           `json:"peer_arrived_here"`
	Left      bool           `json:"peer_left_here"`
	Confirmed bool           `json:"arrived_there"`
	Result    string         `json:"result"`
	LookThere string         `json:"look_there"` // the command that shows our state on the peer
}

// prove carries out the active proof after a look that gave health.
func prove(ctx context.Context, w io.Writer, o *health.Observer, seen health.Health, f statusFlags) error {
	own, _ := health.TestStates(o.Settings)
	result := proved{Verdict: seen.Verdict, LookThere: own.Command(o.Settings.ExternalCache)}
	say := func(lines ...string) {
		if !f.asJSON {
			_ = sayLines(w, lines) // a line that is lost ends ctx
		}
	}
	say(text.StatusLines(seen)...)
	if seen.Verdict == health.VerdictStopped || seen.Service.MainPID == 0 || !o.Settings.Complete() {
		result.Result = "nothing was tried: conntrackd does not run with these settings"
		return endProof(w, result, f, exitUnknown)
	}
	say("On the other node, run at the same time: connsync status --prove",
		"While this runs, "+result.LookThere+" shows this node's test state there, "+own.String()+", coming and going.")
	limited, cancel := context.WithTimeout(ctx, f.within)
	defer cancel()
	said := map[string]bool{}
	p := &health.Prover{Client: o.Client, Settings: o.Settings, Each: func(proof health.Proof) {
		for _, line := range proofLines(proof) {
			if !said[line] {
				said[line] = true
				say(line)
			}
		}
	}}
	proof, err := p.Prove(limited)
	if err != nil {
		return &exitError{exitUnknown, err}
	}
	result.Proven, result.Created, result.Passed = proof.Done(), proof.Created, proof.Passed
	result.Arrived, result.Left, result.Confirmed = proof.Arrived, proof.Left, proof.Confirmed
	if ctx.Err() != nil && !proof.Done() {
		result.Result = "interrupted; nothing is proven by what was seen until then"
		return endProof(w, result, f, exitUnknown)
	}
	var status int
	result.Result, status = proofResult(proof, f)
	return endProof(w, result, f, status)
}

func endProof(w io.Writer, result proved, f statusFlags, status int) error {
	var err error
	if f.asJSON {
		err = printJSON(w, result)
	} else {
		first, rest := result.Result[:1], result.Result[1:]
		err = sayLines(w, []string{strings.ToUpper(first) + rest + "."})
	}
	if err == nil && status != exitDone {
		err = &exitError{status, nil}
	}
	return err
}

func proofLines(p health.Proof) []string {
	var lines []string
	for _, s := range []struct {
		holds bool
		text  string
	}{
		{p.Created, "ok       the test state is in this node's connection table"},
		{p.Passed, "ok       conntrackd has taken it, to send it"},
		{p.Arrived, "ok       the peer's test state has arrived here"},
		{p.Confirmed, "ok       the peer says that this node's has arrived there"},
		{p.Left, "ok       the peer's is gone again here, as the peer took it out"},
	} {
		if s.holds {
			lines = append(lines, s.text)
		}
	}
	return lines
}

// proofResult is what this node can say truly about what it saw.
func proofResult(p health.Proof, f statusFlags) (string, int) {
	switch {
	case p.Done():
		return "proven: states go both ways, and go away again", exitDone
	case !p.Created:
		return "nothing was tried", exitUnknown
	case !p.Passed:
		return "not proven: conntrackd here did not take the test state; a Filter in conntrackd.conf drops it (Address or Protocol), or the kernel reports no new connections (nf_conntrack_events)", exitRefused
	case p.Arrived && p.Confirmed:
		return "states go both ways; the peer's was not seen to go again", exitRefused
	case p.Arrived:
		return "one way only: the peer's state arrived here, and the peer has not said that this node's arrived there", exitRefused
	}
	return fmt.Sprintf("not proven: no test state of the peer was seen within %v; run connsync status --prove there at the same time", f.within), exitUnknown
}

// sayLines prints lines made here; what is from outside in them was cleaned.
func sayLines(w io.Writer, lines []string) error {
	_, err := io.WriteString(w, strings.Join(slices.Concat(lines, []string{""}), "\n"))
	return err
}
