package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"connsync/lab"
)

// The two sizes of the buffers between which the saves change.
var buffers = [2]int{131072, 262144}

// temporary is the directory for temporary files: a node has the others in common
// with the host.
const temporary = "/run/temporary"

// node is a node of a pair whose saves are cut short.
type node struct {
	*lab.Member
	pair     *lab.Pair
	program  string
	contents map[int]string // the whole file, by the size of the buffers
	takes    map[string]time.Duration
	names    []string // of all files where litter could be
}

// onNode makes a pair and ends saves on one of its nodes.
func (f *figures) onNode(ctx context.Context, o options, numbers <-chan int) (err error) {
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()
	n := &node{Member: pair.A, pair: pair, program: o.program, contents: map[int]string{}, takes: map[string]time.Duration{}}
	if err := n.prepare(ctx); err != nil {
		return err
	}
	for number := range numbers {
		for try := 0; ; try++ {
			before := f.of(tooLate) + f.of(notReached)
			k := newKill(o.seed, number)
			if k.at /= float64(1 + try); ctx.Err() != nil {
				return ctx.Err()
			}
			if err := n.once(ctx, f, k); err != nil {
				return err
			}
			if f.of(tooLate)+f.of(notReached) == before || try == 3 {
				break
			}
		}
	}
	return nil
}

func (n *node) apply(buffer int) []string {
	return []string{"apply", "--enable", "--first-node", "--interface", lab.SyncInterface, "--current-ip", n.Sync.String(), "--peer-ip", n.pair.Other(n.Member).Sync.String(),
		"--send-buffer", fmt.Sprint(buffer), "--receive-buffer", fmt.Sprint(buffer)}
}

func (n *node) other(buffer int) int {
	if buffer == buffers[0] {
		return buffers[1]
	}
	return buffers[0]
}

// prepare saves each of the two once, undisturbed: what the files are then and how
// long it takes is what the kills are measured with.
func (n *node) prepare(ctx context.Context) error {
	if out, err := n.Run(ctx, "mkdir", temporary); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	peer := n.pair.Other(n.Member)
	if out, err := peer.Run(ctx, n.program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface, "--current-ip", peer.Sync.String(), "--peer-ip", n.Sync.String()); err != nil && !strings.Contains(out, "in force") {
		return fmt.Errorf("apply on the peer: %w\n%s", err, out)
	}
	for _, buffer := range []int{buffers[0], buffers[1], buffers[0]} {
		began := time.Now()
		if out, err := n.Run(ctx, n.program, n.apply(buffer)...); err != nil && !strings.Contains(out, "in force") {
			return fmt.Errorf("apply: %w\n%s", err, out)
		}
		n.takes[byApply] = time.Since(began)
		content, err := n.ReadFile(lab.ConfigPath)
		if err != nil {
			return err
		}
		n.contents[buffer] = string(content)
	}
	if out, err := n.Run(ctx, n.program, "status"); err != nil {
		return fmt.Errorf("status: %w\n%s", err, out)
	}
	n.takes[byRollback] = n.takes[byApply]
	n.takes[byForm] = n.takes[byApply] // without the checks, and with the look at the screen
	var err error
	n.names, err = n.list(ctx)
	return err
}

// buffer is the size of the file that is there; an error where the file is neither
// of the two.
func (n *node) buffer() (int, error) {
	content, err := n.ReadFile(lab.ConfigPath)
	if err != nil {
		return 0, err
	}
	for buffer, whole := range n.contents {
		if string(content) == whole {
			return buffer, nil
		}
	}
	return 0, fmt.Errorf("the file is neither the old nor the new one:\n%s", content)
}

// ofHistory are the files of whole saves, which come and go.
var ofHistory = regexp.MustCompile(`^/var/lib/connsync/history/[0-9]{6}\.(json|before|after)$`)

// list names all files where a save could leave something.
func (n *node) list(ctx context.Context) ([]string, error) {
	names, err := list(ctx, n.Member, "/etc", "/var/lib/connsync", "/run", "/var/lock")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, ofHistory.MatchString), nil
}

// list names the files below directories of a node, sorted. What find says of those that
// it does not reach is no name; it is an error where there are no names besides.
func list(ctx context.Context, m *lab.Member, directories ...string) ([]string, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, "find", append(directories, "-xdev", "-not", "-type", "d",
		"-not", "-name", "verdicts.log*", "-print0")...) // the form records what lasted
	cmd.Stdout, cmd.Stderr = &out, &said
	err := m.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil && out.Len() == 0 {
		return nil, fmt.Errorf("list files: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	var names []string
	for name := range strings.SplitSeq(out.String(), "\x00") {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// savers are the processes of connsync but for the refresh, which a save starts to stay.
func (n *node) savers() ([]int, error) {
	all, err := n.Processes("connsync")
	if err != nil {
		return nil, err
	}
	err = n.Enter(func() error {
		all = slices.DeleteFunc(all, func(pid int) bool {
			line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			return err != nil || slices.Contains(strings.Split(string(line), "\x00"), "refresh")
		})
		return nil
	})
	return all, err
}

// examine looks at what a kill has left.
func (n *node) examine(ctx context.Context, f *figures, k kill, s *seated, old int) {
	now, err := n.buffer()
	switch {
	case err != nil:
		f.fail(k, err.Error())
	case now == old:
		f.count(isOld)
	default:
		f.count(isNew)
	}
	// Who has lost its parent or its line ends as well, after its safe point.
	for until := time.Now().Add(endsWithin); ; time.Sleep(50 * time.Millisecond) {
		left, err := n.savers()
		if err == nil && len(left) == 0 {
			break
		}
		if time.Now().After(until) {
			f.fail(k, fmt.Sprintf("processes %v are left (%v)", left, err))
			break
		}
	}
	if k.signal != hangUp {
		n.examineTerminal(f, k, s)
	}
	if err := n.recovers(ctx, f); err != nil {
		f.fail(k, err.Error())
	}
	names, err := n.list(ctx)
	if err != nil {
		f.fail(k, err.Error())
	}
	for _, name := range names {
		if _, known := slices.BinarySearch(n.names, name); !known {
			f.fail(k, "it has left "+name)
		}
	}
}

func (n *node) examineTerminal(f *figures, k kill, s *seated) {
	if k.stopped {
		_ = s.Type("\x11") // the shell's user goes on
	}
	after, err := s.Attributes()
	switch {
	case err != nil:
		f.fail(k, err.Error())
	case after != s.AttributesBefore():
		f.fail(k, "the terminal's attributes have changed")
	}
	if k.term == "xterm" && !k.stopped {
		for until := time.Now().Add(5 * time.Second); s.sent.onScreen(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(until) {
				f.fail(k, "the terminal is on the alternate screen")
				return
			}
		}
	}
}

// recovers starts the program once more: it repairs what there is, and has nothing
// to say the time after. Then the daemon runs with the file that is there.
func (n *node) recovers(ctx context.Context, f *figures) error {
	said, err := n.show(ctx)
	if err != nil {
		return err
	}
	if said == "" {
		f.count(nothing)
	} else {
		f.count(repaired)
	}
	if strings.Contains(said, "NOT") || strings.Contains(said, "FAIL") {
		return fmt.Errorf("the recovery says %q", said)
	}
	again, err := n.show(ctx)
	if err != nil {
		return err
	}
	if again != "" {
		return fmt.Errorf("the recovery says %q, and the start after it %q", said, again)
	}
	buffer, err := n.buffer()
	if err != nil {
		return err
	}
	last := ""
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		out, _ := n.Run(ctx, n.program, "status", "--json")
		var status struct {
			Bound bool `json:"bound"`
			Send  int  `json:"send_buffer_in_force"`
		}
		if last = out; json.Unmarshal([]byte(out), &status) == nil && status.Bound && status.Send == 2*buffer {
			return nil
		}
	}
	saves, _ := n.Run(ctx, n.program, "history")
	return fmt.Errorf("the daemon does not run with the file, whose buffers have %d bytes; the recovery said %q; the history:\n%s\nthe status:\n%s", buffer, said, saves, last)
}

// show starts the program and returns what it says on its standard error.
func (n *node) show(ctx context.Context) (string, error) {
	cmd := n.CommandContext(ctx, n.program, "show")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return errs.String(), fmt.Errorf("show: %w\n%s", err, &errs)
	}
	return errs.String(), err
}
