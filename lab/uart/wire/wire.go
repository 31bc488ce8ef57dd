// Package wire is what the machine behind the serial line and its harness say
// to each other, over a second line, by net/rpc.
package wire

import (
	"time"

	"golang.org/x/sys/unix"
)

// Service is the name of the machine's service. Its methods are Run, Open,
// Line, Rest, Wait, Signal, HangUp, Say and Beat.
const Service = "Guest"

// Ready is what the machine says first. What is sent to it before, its UART may
// lose.
const Ready = "ready\n"

// Command is a program to run in a node of the machine, by its arguments.
type Command struct {
	Node string
	Args []string
}

// Session is a program to put on the serial line, as the leader of a session,
// in node A. It finds the line at that speed, a termios constant, and cooked.
type Session struct {
	Args    []string
	Environ []string
	Speed   uint32
}

// Line is the serial line as its driver has it.
type Line struct {
	Attributes    unix.Termios
	Width, Height int
	Queued        int // bytes that were written and not sent yet
	Received      int // bytes that the driver has taken from the line, ever
	Unread        int // those of them that no program has read yet
}

// Pause is a time of rest on the line, and how long to wait for it at most.
type Pause struct{ Span, Within time.Duration }

// Ended is how a program on the line has ended. Signal is 0 where it exited.
type Ended struct {
	Status int
	Signal int
}

// None stands where a call takes or returns nothing.
type None struct{}
