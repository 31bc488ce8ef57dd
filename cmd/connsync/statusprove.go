package main

import (
	"context"
	"io"
	"strings"
	"time"

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
	NATSent   string         `json:"nat_sent"` // the peer's NAT address; blank where none has come
	NATCame   string         `json:"nat_arrived"`
	Result    string         `json:"result"`
	LookThere string         `json:"look_there"` // the command that shows our state on the peer

	After    health.Verdict   `json:"verdict_after"` // with what the peer told; blank where nothing was tried
	OnPeer   *text.PeerReport `json:"on_peer"`       // null where the peer has not told
	Unproven string           `json:"unproven"`      // what the proof says nothing about
}

// afterProof bounds the look after a proof, so that the proof ends whatever conntrackd
// does.
const afterProof = 10 * time.Second

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
		result.Result = "not tried: " + text.Clean(before.Cause)
		return endProof(w, result, f, exitUnknown)
	}
	say("On the other node, run at the same time: connsync status --prove",
		"While this runs, "+result.LookThere+" shows this node's test entry there ("+own.String()+"), which appears and expires.")
	limited, cancel := context.WithTimeout(ctx, f.within)
	defer cancel()
	said := map[string]bool{}
	p := &health.Prover{Client: o.Client, Settings: o.Settings, Observer: o, Each: func(proof health.Proof) {
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
	lately, end := context.WithTimeout(ctx, afterProof)
	defer end()
	after := o.Observe(lately)
	status := proofStatus(proof, after)
	result.After, result.OnPeer, result.Unproven = after.Verdict, text.NewPeerReport(after.Holding), unproven(after, o)
	result.Proven, result.Created, result.Passed = status == exitDone, proof.Created, proof.Passed
	result.Arrived, result.Left, result.Confirmed, result.NATSent, result.NATCame = proof.Arrived, proof.Left, proof.Confirmed, proof.NATSent, proof.NATArrived
	if ctx.Err() != nil && !proof.Done() && !proof.NATChanged() {
		result.Result = "interrupted; nothing is proven"
		return endProof(w, result, f, exitUnknown)
	}
	result.Result = text.ProofResult(proof, f.within)
	switch {
	case after.Verdict != health.VerdictPartial, proof.NATChanged():
	case proof.Done():
		result.Result = "test entries arrive both ways, and " + after.Cause
	case proof.Told:
		result.Result = "not proven: " + after.Cause
	}
	if there := text.OnPeer(after); there != "" {
		say(text.Capital(there) + ".")
	}
	if result.Unproven != "" {
		say(result.Unproven)
	}
	return endProof(w, result, f, status)
}

// unproven is what a proof leaves open with the file that the daemon runs with.
func unproven(h health.Health, o *health.Observer) string {
	if o.Coverage == nil {
		return ""
	}
	lists, _ := o.Coverage.File.FilterLists()
	return text.Unproven(h, lists, o.Mode)
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

// proofStatus is the exit status of a proof, after which the health was as given. Where
// this node's state was not made, or nothing of the peer was seen, it could not tell.
func proofStatus(p health.Proof, after health.Health) int {
	switch {
	case p.NATChanged(), (p.Done() || p.Told) && after.Verdict == health.VerdictPartial:
		return exitRefused // the states go, and connections do not
	case p.Done():
		return exitDone
	case p.Created && (!p.Passed || p.Arrived):
		return exitRefused
	}
	return exitUnknown
}
