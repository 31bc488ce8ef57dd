package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"connsync/cmd/connsync/call"
	"connsync/conntrackd"
	"connsync/netcheck/check"
	"connsync/outlet"
	"connsync/trust"
	"connsync/tui/text"
)

// problemsError are settings that cannot be used. Its exit says whether they
// have been told.
type problemsError struct {
	problems []conntrackd.Problem
	exit     *exitError
}

func (e *problemsError) Error() string {
	words := make([]string, len(e.problems))
	for i, p := range e.problems {
		words[i] = string(p.Field) + ": " + p.Message
	}
	return strings.Join(words, "; ")
}

func (e *problemsError) Unwrap() error { return e.exit }

// valueError is the wrong use of a setting's flag.
func valueError(f conntrackd.Field, message string) error {
	return &problemsError{[]conntrackd.Problem{{Field: f, Message: message}}, &exitError{exitUsage, errors.New(message)}}
}

// refusal is what a command prints with --json in place of its result.
type refusal struct {
	Error string `json:"error"`
	// Problems are those of the settings, keyed by field.
	Problems map[conntrackd.Field]string `json:"problems,omitempty"`
}

// refusedCheck is that of check.
type refusedCheck struct {
	Verdict check.Verdict  `json:"verdict"`
	Checks  []check.Result `json:"checks"`
	refusal
}

// toldInJSON is for a command that prints JSON and has ended with err: where
// that was told on standard error alone, it is printed as JSON too: in the shape of its
// result where that has an error.
func toldInJSON(w io.Writer, cmd *cobra.Command, args []string, err error) error {
	var (
		exit     *exitError
		problems *problemsError
	)
	if !errors.As(err, &problems) && errors.As(err, &exit) && exit.err == nil {
		return err
	}
	r := refusal{Error: err.Error()}
	if problems != nil {
		r.Problems = map[conntrackd.Field]string{}
		for _, p := range problems.problems {
			r.Problems[p.Field] = p.Message
		}
	}
	var told any = r
	switch cmd.Name() {
	case "apply", "rollback":
		if call.Asks(cmd, args, "dry-run", "true") {
			break
		}
		told = text.RefusedSave(r.Error, r.Problems, nil)
	case "check":
		told = refusedCheck{check.VerdictUnknown, []check.Result{}, r}
	}
	if call.Asks(cmd, args, "watch", "true") {
		_ = outlet.PrintJSONLine(w, told) // as all that it prints
	} else {
		_ = printJSON(w, told)
	}
	return err // what is lost of the JSON is told at the end
}

// withRemedy is err, of a command that was called with args, with what to do where it is for
// root; its status stays.
func withRemedy(args []string, err error) error {
	var exit *exitError
	remedy := trust.Remedy(err, append([]string{"connsync"}, args...)...)
	if !errors.As(err, &exit) {
		exit = &exitError{exitRefused, err}
	}
	if remedy == "" || exit.err == nil {
		return err
	}
	return &exitError{exit.status, fmt.Errorf("%w: %s", err, remedy)}
}
