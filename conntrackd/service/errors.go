package service

import (
	"errors"
	"strings"
)

// Why a service manager did not do what it was asked. Every error of a
// [Service] that concerns the service matches one of them with errors.Is.
var (
	ErrNotFound    = errors.New("there is no such unit")
	ErrMasked      = errors.New("the unit is masked")
	ErrUnreachable = errors.New("the service manager cannot be reached")
	ErrDenied      = errors.New("the service manager needs root for this")
	ErrFailed      = errors.New("the daemon did not start")
	ErrStartLimit  = errors.New("the service manager refuses to start it again so soon")
	ErrUnstable    = errors.New("the daemon started and did not stay up")
	ErrTimeout     = errors.New("no result in time; the service manager goes on with the job")
	ErrRefused     = errors.New("the service manager refused")
	ErrUnmanaged   = errors.New("the service is left alone, as asked")
)

// Error says what was asked of a service and why it was not done. It
// unwraps to one of [ErrNotFound] and its like, and to the cause.
type Error struct {
	Action Action // blank when the state was only read
	Name   string // of the service
	Reason error  // [ErrNotFound] or one of its like
	Detail string // the manager's own words, such as "failed (Result: exit-code, status=1)"; raw
	// Lines are what the daemon itself said since the action began, oldest
	// first, raw. Nil when it said nothing or could not be read.
	Lines []string
	Err   error // the cause, where there is one beyond Reason
}

// Error gives all but Lines, on one line.
func (e *Error) Error() string {
	doing := string(e.Action)
	if doing == "" {
		doing = "read state of"
	}
	parts := []string{doing + " " + e.Name, e.Reason.Error()}
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns Reason, and Err where there is one.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}

// NotBackError says that a restart or stop is done, and which units that had ended with the
// daemon's were not started again. The daemon is as asked.
type NotBackError struct{ Err error }

func (e *NotBackError) Error() string { return e.Err.Error() }

func (e *NotBackError) Unwrap() error { return e.Err }

// NotBack takes the error of a restart or stop apart: left is a [NotBackError], which undoes
// nothing, failed is any other.
func NotBack(err error) (left, failed error) {
	if n := new(NotBackError); errors.As(err, &n) {
		return n, nil
	}
	return nil, err
}
