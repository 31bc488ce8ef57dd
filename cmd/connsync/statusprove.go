package main

import (
	"context"
	"io"
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

// prove carries out the active proof after a look that gave before.
func prove(ctx context.Context, w io.Writer, o *health.Observer, before health.Health, f statusFlags) error {
	own, _ := health.TestStates(o.Settings)
	result := proved{Verdict: before.Verdict, LookThere: own.Command(o.Settings.ExternalCache)}
	say := func(lines ...string) {
		if !f.asJSON {
			_ = sayLines(w, lines) // a line that is lost ends ctx
		}
	}
	say(text.StatusLines(before)...)
	if before.Verdict == health.VerdictStopped || before.Service.MainPID == 0 || !o.Settings.Complete() {
		result.Result = "nothing was tried: conntrackd does not run with these settings"
		return endProof(w, result, f, exitUnknown)
	}
	say("On the other node, run at the same time: connsync status --prove",
		"While this runs, "+result.LookThere+" shows this node's test state there, "+own.String()+", coming and going.")
	limited, cancel := context.WithTimeout(ctx, f.within)
	defer cancel()
	said := map[string]bool{}
	p := &health.Prover{Client: o.Client, Settings: o.Settings, Each: func(proof health.Proof) {
		for _, line := range text.ProofLines(proof) {
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
	result.Result = text.ProofResult(proof, f.within)
	return endProof(w, result, f, proofStatus(proof))
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

// proofStatus is the exit status of a proof. Where this node's state was not made,
// or nothing of the peer was seen, it could not tell.
func proofStatus(p health.Proof) int {
	switch {
	case p.Done():
		return exitDone
	case p.Created && (!p.Passed || p.Arrived):
		return exitRefused
	}
	return exitUnknown
}
