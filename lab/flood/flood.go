package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"connsync/lab"
	"connsync/lab/tty"
)

type options struct {
	program string
	lasts   time.Duration
	rate    int
	frames  uint64 // ends the flood too; zero is no limit
	every   time.Duration
	out     io.Writer
}

// sample is what a process needs at one time.
type sample struct {
	at          time.Duration
	frames      uint64
	resident    int // KiB
	descriptors int
	threads     int
}

// watched is a process that is looked at.
type watched struct {
	name    string
	pid     int
	samples []sample
}

// figures are what was seen.
type figures struct {
	watched []*watched
	frames  uint64
	took    time.Duration
}

const (
	// residentMost is far above what the program needs, and far below what a leak
	// of a byte a frame makes of a long flood.
	residentMost = 48 << 10
	// moreThreads may be started by the runtime whenever the host is busy.
	moreThreads = 24
)

// flat says what has grown under the flood.
func (f *figures) flat() error {
	var all []error
	for _, w := range f.watched {
		if len(w.samples) < 3 {
			all = append(all, fmt.Errorf("%s was looked at %d times", w.name, len(w.samples)))
			continue
		}
		first, last := w.samples[1], w.samples[len(w.samples)-1] // the very first is before the flood
		if last.descriptors > first.descriptors+2 {
			all = append(all, fmt.Errorf("%s: %d descriptors, then %d", w.name, first.descriptors, last.descriptors))
		}
		if last.resident > residentMost {
			all = append(all, fmt.Errorf("%s: %d KiB of memory, at most %d", w.name, last.resident, residentMost))
		}
		if last.threads > moreThreads {
			all = append(all, fmt.Errorf("%s: %d threads, at most %d", w.name, last.threads, moreThreads))
		}
	}
	return errors.Join(all...)
}

// look takes a sample of the process.
func (w *watched) look(at time.Duration, frames uint64) error {
	s := sample{at: at, frames: frames}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.pid))
	if err != nil {
		return fmt.Errorf("%s has ended: %w", w.name, err)
	}
	for line := range strings.Lines(string(status)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		number, _ := strconv.Atoi(words[1]) // zero where it is not a number, which is not looked for
		switch words[0] {
		case "VmRSS:":
			s.resident = number
		case "Threads:":
			s.threads = number
		}
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.pid))
	if err != nil {
		return fmt.Errorf("%s has ended: %w", w.name, err)
	}
	s.descriptors = len(open)
	w.samples = append(w.samples, s)
	return nil
}

// flood makes a pair that syncs, and floods A's link from B's end.
func flood(ctx context.Context, o options) (f *figures, err error) {
	if o.program, err = filepath.Abs(o.program); err != nil {
		return nil, err
	}
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()
	for _, m := range []*lab.Member{pair.B, pair.A} {
		if out, err := m.Run(ctx, o.program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface, "--current-ip", m.Sync.String(),
			"--peer-ip", pair.Other(m).Sync.String()); err != nil && !strings.Contains(out, "in force") {
			return nil, fmt.Errorf("apply on %s: %w\n%s", m.Name(), err, out)
		}
	}
	f = &figures{}
	watch, err := startWatch(pair.A, o.program)
	if err != nil {
		return nil, err
	}
	defer func() { _ = watch.Process.Kill(); _ = watch.Wait() }()
	form, err := openStatus(pair.A, o.program)
	if err != nil {
		return nil, err
	}
	defer form.Close()
	f.watched = []*watched{{name: "status --watch", pid: watch.Process.Pid}, {name: "Status page", pid: drawing(form.Process().Pid)}}
	return f, f.run(ctx, o, pair)
}

// run sends and looks.
func (f *figures) run(ctx context.Context, o options, pair *lab.Pair) error {
	s, err := newSender(pair.B)
	if err != nil {
		return err
	}
	defer s.close()
	from, err := hardware(pair.B)
	if err != nil {
		return err
	}
	to, err := hardware(pair.A)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.lasts)
	defer cancel()
	began := time.Now()
	look := func() error {
		for _, w := range f.watched {
			if err := w.look(time.Since(began), s.sent.Load()); err != nil {
				return err
			}
			last := w.samples[len(w.samples)-1]
			fmt.Fprintf(o.out, "%8v %12d frames  %-16s %7d KiB %4d descriptors %3d threads\n", last.at.Round(time.Second), last.frames, w.name, last.resident, last.descriptors, last.threads)
		}
		return nil
	}
	if err := look(); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		sent <- s.send(ctx, frames(from, to, pair.B.Sync.Addr(), pair.A.Sync.Addr()), o.rate, o.frames)
	}()
	ticker := time.NewTicker(o.every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := look(); err != nil {
				return err
			}
		case err := <-sent:
			f.frames, f.took = s.sent.Load(), time.Since(began)
			fmt.Fprintf(o.out, "%d frames in %v, %.0f a second\n", f.frames, f.took.Round(time.Second), float64(f.frames)/f.took.Seconds())
			return errors.Join(err, look())
		}
	}
}

// hardware is the hardware address of a node on the sync link.
func hardware(m *lab.Member) (address net.HardwareAddr, err error) {
	err = m.Enter(func() error {
		iface, err := net.InterfaceByName(lab.SyncInterface)
		if err == nil {
			address = iface.HardwareAddr
		}
		return err
	})
	return address, err
}

func startWatch(m *lab.Member, program string) (*exec.Cmd, error) {
	cmd := exec.Command(program, "status", "--watch", "--json")
	cmd.Stdout = io.Discard // through a pipe, which is read
	return cmd, m.Enter(cmd.Start)
}

// openStatus opens the form's Status page.
func openStatus(m *lab.Member, program string) (*tty.Seat, error) {
	const patience = time.Minute
	seat, err := tty.Open(exec.Command(program), tty.Line{Width: 80, Height: 24, Environ: []string{"TERM=vt100", "LC_ALL=C"}}, m.Enter)
	if err != nil {
		return nil, err
	}
	for _, at := range []struct{ sees, types string }{
		{"(*) Enable", strings.Repeat("\t", 9)}, {"> [ Status ]", "\r"}, {"esc back", ""},
	} {
		if err := seat.See(patience, at.sees); err != nil {
			seat.Close()
			return nil, err
		}
		if err := seat.Type(at.types); err != nil {
			seat.Close()
			return nil, err
		}
	}
	return seat, nil
}

// drawing is the process that draws a form: the child of the one on the line.
func drawing(pid int) int {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, path := range tasks {
		if list, err := os.ReadFile(path); err == nil {
			if child, err := strconv.Atoi(strings.TrimSpace(string(list))); err == nil {
				return child
			}
		}
	}
	return pid
}
