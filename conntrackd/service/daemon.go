package service

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/trust"
)

// ErrNotInstalled means that there is no conntrackd program on this host. It
// is an [conntrackd.ErrCannotLook] too.
var ErrNotInstalled = fmt.Errorf("%w: conntrackd is not installed", conntrackd.ErrCannotLook)

// ProgramTimeout bounds a run of the daemon as a client, which takes 5 ms.
const ProgramTimeout = 10 * time.Second

// FindBinary returns the conntrackd program, as [trust.Program] finds it: binary
// itself where it is given. The error is [ErrNotInstalled], or another
// [conntrackd.ErrCannotLook] for a program that is not run.
func FindBinary(binary string) (string, error) {
	path, err := trust.Program(cmp.Or(binary, "conntrackd"))
	switch {
	case !errors.Is(err, exec.ErrNotFound) && err != nil:
		err = fmt.Errorf("%w: %w", conntrackd.ErrCannotLook, err)
	case err != nil && binary != "":
		err = fmt.Errorf("%w (%s)", ErrNotInstalled, binary)
	case err != nil:
		err = ErrNotInstalled
	}
	return path, err
}

// Version asks the program for its version, such as "1.4.7"; binary is as in
// [FindBinary]. The error is an [conntrackd.ErrCannotLook].
func Version(ctx context.Context, binary string) (string, error) {
	path, err := FindBinary(binary)
	if err != nil {
		return "", err
	}
	out, err := runProgram(ctx, path, "-v")
	if err != nil {
		return "", fmt.Errorf("%w: %s -v: %w", conntrackd.ErrCannotLook, path, err)
	}
	m := regexp.MustCompile(`\bv([0-9]+(?:\.[0-9]+)+)`).FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%w: %s -v names no version", conntrackd.ErrCannotLook, path)
	}
	return string(m[1]), nil
}

// runProgram returns what the program wrote to both of its outputs. The error
// is an *exec.ExitError when it ran and failed.
func runProgram(ctx context.Context, path string, args ...string) ([]byte, error) {
	return RunProgramWith(ctx, nil, path, args...)
}

// RunProgramWith runs the program as [trust.Command] does, for [ProgramTimeout] at
// most, and gives it an open file as its descriptor 3; nil is
// none. It returns what the program wrote to both of its outputs. The error is an
// *exec.ExitError when it ran and failed, and that of the context when its time was
// over.
func RunProgramWith(ctx context.Context, file *os.File, path string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, ProgramTimeout)
	defer cancel()
	var out bytes.Buffer
	cmd := trust.Command(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if file != nil {
		cmd.ExtraFiles = []*os.File{file}
	}
	err := cmd.Run()
	if ctx.Err() != nil && err != nil {
		err = ctx.Err()
	}
	return out.Bytes(), err
}

// Message is one line that the daemon wrote.
type Message struct {
	Level string // ERROR, warning, notice, info; blank for a bare line
	Text  string // raw
}

// Messages reads the daemon's output: "[date] (pid=N) [level] text", or bare
// text where it was written before its log was open.
func Messages(out []byte) []Message {
	form := regexp.MustCompile(`^(?:\[[^\]]*\] )?(?:\(pid=[0-9]+\) )?\[(\w+)\] (.*)$`)
	var list []Message
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if m := form.FindStringSubmatch(line); m != nil {
			list = append(list, Message{Level: m[1], Text: strings.TrimSpace(m[2])})
		} else {
			list = append(list, Message{Text: line})
		}
	}
	return list
}

// DaemonLines returns what the daemon said that is worth a person's time:
// everything but its notices and the two lines that end every failed start.
func DaemonLines(list []Message) []string {
	var words []string
	for _, m := range list {
		switch {
		case m.Level == "notice" || m.Level == "info":
		case m.Text == "initialization failed", strings.HasPrefix(m.Text, "conntrackd cannot start"):
		default:
			words = append(words, m.Text)
		}
	}
	return words
}

// ExitReason says in words how a program ended that returned err, such as "exit
// status 1"; err is not nil.
func ExitReason(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ProcessState.String() // "exit status 1", "signal: segmentation fault"
	}
	return err.Error()
}
