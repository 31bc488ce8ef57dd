package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"connsync/conntrackd"
	"connsync/conntrackd/service"
)

// Lint has the daemon parse the candidate without starting and returns the problems, which
// must be solved before the file can be written; none is a pass. They are errors, and every
// warning, since the daemon starts with a bad address or port and says no more than that.
// Warnings about outdated options that the operator's file has already, or had when it was
// in force, are none. Line numbers are the candidate's. The error is
// [conntrackd.ErrCannotLook] when there was no opinion to be had, or the context's.
func Lint(ctx context.Context, c *conntrackd.Candidate) ([]string, error) {
	found, err := lint(ctx, c.Binary, c.New)
	if err != nil {
		return nil, err
	}
	var before []string
	switch {
	case c.Undoes != 0: // the daemon ran with the restored file, whatever it said of it
		before = found
	case slices.ContainsFunc(found, outdated) && len(c.Old) > 0:
		if before, err = lint(ctx, c.Binary, c.Old); err != nil {
			return nil, err
		}
	}
	var problems []string
	for _, text := range found {
		if !outdated(text) || !slices.Contains(before, text) {
			problems = append(problems, text)
		}
	}
	return problems, nil
}

// outdated knows the warnings about options that still load but mean nothing
// any more (read_config_yy.y).
func outdated(text string) bool {
	return strings.Contains(text, "deprecated") || strings.Contains(text, "is now called")
}

// NotConnected is what the daemon's client says when it has read the whole
// file and finds nobody at the control socket: the one good ending here.
const NotConnected = "can't connect: is conntrackd running?"

// nobody is a path at which there can be no socket.
const nobody = "/dev/null/nobody"

// lint runs the daemon as a client on a copy of content. The client connects
// to the UNIX Path of the file it is given, so the copy names a socket that
// cannot exist.
func lint(ctx context.Context, binary string, content []byte) ([]string, error) {
	path, err := service.FindBinary(binary)
	if err != nil {
		return nil, err
	}
	f, _ := conntrackd.Parse("", content)
	if end := f.SilentEnd(); end >= 0 {
		line := 1 + bytes.Count(content[:end], []byte("\n"))
		return []string{fmt.Sprintf("line %d: byte %#x ends conntrackd's reading: it would ignore the rest of the file without a word", line, content[end])}, nil
	}
	f.ReplaceValues(map[string]string{"Path": nobody})
	file, err := anonymousFile(f.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", conntrackd.ErrCannotLook, err)
	}
	defer file.Close()
	out, err := service.RunProgramWith(ctx, file, path, "-C", inherited(firstExtra), "-s")
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, fmt.Errorf("%w: %s: %w", conntrackd.ErrCannotLook, path, err)
	}
	return lintFindings(out, err), nil
}

// lintFindings reads the client's output; end is how it exited.
func lintFindings(out []byte, end error) []string {
	var found []string
	read := false
	for _, m := range service.Messages(out) {
		if strings.HasPrefix(m.Text, NotConnected) {
			read = true
			continue
		}
		if m.Level == "notice" || m.Level == "info" {
			continue
		}
		if text := withLine(m.Text); !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	if !read && len(found) == 0 {
		how := "exit status 0"
		if end != nil {
			how = service.ExitReason(end)
		}
		found = append(found, "conntrackd did not finish reading the file: "+how)
	}
	return found
}

// withLine turns the daemon's "parsing config file in line (7), symbol 'x':
// syntax error" into "line 7: ...". The line is that of the word it stumbled
// over, which for a missing value is the next one.
func withLine(text string) string {
	m := regexp.MustCompile(`^parsing config file in line \(([0-9]+)\), symbol '(.*)': (.*)$`).FindStringSubmatch(text)
	switch {
	case m == nil:
		return text
	case m[2] == "":
		return fmt.Sprintf("line %s: %s at the end of the file", m[1], m[3])
	}
	return fmt.Sprintf("line %s: %s at %q", m[1], m[3], m[2])
}
