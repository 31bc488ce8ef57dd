package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"connsync/lab"
	"connsync/lab/others"
	"connsync/lab/tty"
)

const starts = 11 // of which the median counts

// shown is a program on a terminal.
type shown struct {
	name    string
	command []string
	where   *lab.Node
	whole   string // is on the screen when it is complete
}

// screens measures from the start of a program to its first complete frame, and the
// memory that it has then.
func screens(ctx context.Context, b *bench) (err error) {
	if missing := others.Missing(); missing != "" {
		return fmt.Errorf("%s is not installed (scripts/deps bench)", missing)
	}
	office, err := others.OpenOffice(ctx)
	if office != nil {
		defer func() { err = errors.Join(err, office.Close()) }()
	}
	if err != nil {
		return err
	}
	programs := []shown{
		{"connsync", []string{b.program}, office, "ctrl+c quit"},
		{"dialog --form", others.Dialog(), office, "<Cancel>"},
		{"whiptail, one field", others.Whiptail(), office, "<Cancel>"},
		{"nmtui edit", others.Nmtui(), office, "Ignore automatically obtained DNS"},
	}
	times, memory := make([]time.Duration, len(programs)), make([]int64, len(programs))
	for i, p := range programs {
		var all []time.Duration
		for range starts {
			took, resident, err := p.open(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			all, memory[i] = append(all, took), max(memory[i], resident)
		}
		times[i] = median(all)
	}
	for i, p := range programs[1:] {
		most := 0.0
		if p.name == "nmtui edit" {
			most = 1.5
		}
		b.timed("start to first complete frame", times[0], p.name, times[i+1], most)
	}
	b.timed("start to first complete frame", times[0], "the target of 40 ms", 40*time.Millisecond, 1)
	for i, p := range programs[1:] {
		b.sized("resident memory, shared pages in parts", memory[0], p.name, memory[i+1], 0)
	}
	b.sized("resident memory, shared pages in parts", memory[0], "the target of 14 MB", 14e6, 1)
	most, err := programs[0].stay(ctx)
	if err != nil {
		return err
	}
	b.sized("resident memory, the most in 30 s", most, "the target of 14 MB", 14e6, 1)
	return nil
}

// open starts the program once: when its frame was complete, and its memory.
func (p shown) open(ctx context.Context) (took time.Duration, resident int64, err error) {
	seat, session, took, err := p.start(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer seat.Close()
	seat.Quiet(300*time.Millisecond, 3*time.Second)
	resident, err = sessionMemory(session)
	return took, resident, err
}

// stay leaves the program open, and returns the most memory that it has after the start.
func (p shown) stay(ctx context.Context) (most int64, err error) {
	seat, session, _, err := p.start(ctx)
	if err != nil {
		return 0, err
	}
	defer seat.Close()
	seat.Quiet(300*time.Millisecond, 3*time.Second)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		now, err := sessionMemory(session)
		if err != nil {
			return 0, err
		}
		most = max(most, now)
	}
	return most, nil
}

// start starts the program on a terminal, in a session of its own, and waits for its
// first complete frame.
func (p shown) start(ctx context.Context) (seat *tty.Seat, session int, took time.Duration, err error) {
	cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
	var began time.Time
	seat, err = tty.Open(cmd, tty.Line{Width: 80, Height: 24, Environ: []string{"TERM=vt100", "LC_ALL=C"}}, func(start func() error) error {
		return p.where.Enter(func() error {
			began = time.Now()
			return start()
		})
	})
	if err != nil {
		return nil, 0, 0, err
	}
	for !strings.Contains(seat.Shows(), p.whole) {
		if time.Since(began) > 10*time.Second {
			defer seat.Close()
			return nil, 0, 0, fmt.Errorf("it does not show %q:\n%s", p.whole, seat.Shows())
		}
		time.Sleep(500 * time.Microsecond)
	}
	return seat, cmd.Process.Pid, time.Since(began), nil
}

var proportional = regexp.MustCompile(`(?m)^Pss: +(\d+) kB`)

// sessionMemory is the memory of all processes of a session: of pages that several have,
// each its part.
func sessionMemory(session int) (int64, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for _, dir := range dirs {
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		fields := strings.Fields(string(stat[strings.LastIndex(string(stat), ")")+1:]))
		if err != nil || len(fields) < 4 || fields[3] != strconv.Itoa(session) {
			continue // another one, or gone
		}
		rollup, err := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
		m := proportional.FindSubmatch(rollup)
		if err != nil || m == nil {
			continue // it has ended meanwhile
		}
		kilo, _ := strconv.ParseInt(string(m[1]), 10, 64)
		total += kilo << 10
	}
	if total == 0 {
		return 0, fmt.Errorf("session %d has no process", session)
	}
	return total, nil
}

// programSize measures the program as it is packaged beside the others with the
// libraries that they load.
func programSize(ctx context.Context, b *bench) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	packaged := filepath.Join(dir, "connsync") // as packaging/build has it
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildmode=pie", "-ldflags", "-s -w", "-o", packaged, "./cmd/connsync")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	ours, err := sizeOf(packaged)
	if err != nil {
		return err
	}
	for _, name := range []string{"dialog", "whiptail", "nmtui"} {
		theirs, err := withLibraries(ctx, name)
		if err != nil {
			return err
		}
		b.sized("packaged program", ours, name+" with its libraries", theirs, 0)
	}
	b.sized("packaged program", ours, "the target of 9 MB", 9e6, 1)
	return modules(ctx, b, ours)
}

func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

var library = regexp.MustCompile(`(?m)(/\S+) \(0x`)

func withLibraries(ctx context.Context, name string) (int64, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return 0, err
	}
	out, err := exec.CommandContext(ctx, "ldd", path).Output()
	if err != nil {
		return 0, fmt.Errorf("ldd %s: %w", path, err)
	}
	total, err := sizeOf(path)
	for _, m := range library.FindAllStringSubmatch(string(out), -1) {
		size, failed := sizeOf(m[1])
		total, err = total+size, errors.Join(err, failed)
	}
	return total, err
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
