package main

import (
	"errors"
	"io"
	"strings"

	"connsync/conntrackd"
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

// toldInJSON is for a command that prints JSON and has ended with err: where
// that was told on standard error alone, it is printed as JSON too.
func toldInJSON(w io.Writer, err error) error {
	if err == nil {
		return nil
	}
	var (
		exit     *exitError
		problems *problemsError
	)
	said := errors.As(err, &exit) && exit.err == nil
	if errors.As(err, &problems) {
		said = false
	}
	if said {
		return err
	}
	refusal := applied{Verdict: string(conntrackd.VerdictUnknown), Steps: []appliedStep{}, Error: err.Error()}
	if problems != nil {
		refusal.Problems = map[conntrackd.Field]string{}
		for _, p := range problems.problems {
			refusal.Problems[p.Field] = p.Message
		}
	}
	return errorsOf(printJSON(w, refusal), err)
}
