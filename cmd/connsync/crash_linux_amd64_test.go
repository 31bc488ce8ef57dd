package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"connsync/conntrackd/apply"
	"connsync/lab"
)

// desk is a configuration, a state and a runtime directory, with nobody who
// runs a daemon.
type desk struct {
	t       *testing.T
	dir     string
	program string
	node    *lab.Node // where a traced program runs: it sees no other process
}

// newDesk has saved once already, so that a save has something to keep.
func newDesk(t *testing.T) *desk {
	node, err := lab.NewNode(t.Context(), "fw-a")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	d := &desk{t: t, dir: t.TempDir(), program: build(t), node: node}
	if err := os.Mkdir(filepath.Join(d.dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := d.connsync(d.save("3780")...).CombinedOutput(); err != nil {
		t.Fatalf("the first save: %v\n%s", err, out)
	}
	return d
}

// copy is an equal desk of its own, times included.
func (d *desk) copy(t *testing.T) *desk {
	c := &desk{t: t, dir: filepath.Join(t.TempDir(), "desk"), program: d.program, node: d.node}
	if out, err := exec.Command("cp", "-a", d.dir, c.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return c
}

func (d *desk) config() string { return filepath.Join(d.dir, "etc", "conntrackd.conf") }

func (d *desk) dirs() []string {
	return []string{filepath.Join(d.dir, "etc"), filepath.Join(d.dir, "state"), filepath.Join(d.dir, "run")}
}

func (d *desk) connsync(args ...string) *exec.Cmd {
	cmd := exec.Command(d.program, append(args, "--service", "none", "--config", d.config(),
		"--state-dir", filepath.Join(d.dir, "state"), "--runtime-dir", filepath.Join(d.dir, "run"))...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off") // fewer stops of the tracer
	return cmd
}

// save is a save that needs no network: the settings stay disabled.
func (d *desk) save(port string) []string {
	return []string{"apply", "--disable", "--interface", "eth1", "--current-ip", "10.0.0.101/24", "--peer-ip", "10.0.0.102/24", "--port", port}
}

func (d *desk) content() []byte {
	d.t.Helper()
	content, err := os.ReadFile(d.config())
	if err != nil {
		d.t.Fatal(err)
	}
	return content
}

// litter is what a save that was interrupted has left: files that belong to no
// entry and entries that are not closed.
func (d *desk) litter() []string {
	d.t.Helper()
	var found []string
	for _, dir := range []string{"etc", "state/history"} {
		names, err := filepath.Glob(filepath.Join(d.dir, dir, ".*"))
		if err != nil {
			d.t.Fatal(err)
		}
		found = append(found, names...)
	}
	entries, err := apply.OpenHistory(filepath.Join(d.dir, "state")).Entries()
	if err != nil {
		d.t.Fatal(err)
	}
	known := map[string]bool{}
	for _, e := range entries {
		known[fmt.Sprintf("%06d", e.Number)] = true
		if e.Outcome == apply.EntryPending || e.Outcome == apply.EntryUnreadable {
			found = append(found, fmt.Sprintf("entry %d: %s", e.Number, e.Outcome))
		}
	}
	contents, err := filepath.Glob(filepath.Join(d.dir, "state/history/0*"))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, path := range contents {
		if number, _, _ := strings.Cut(filepath.Base(path), "."); !known[number] {
			found = append(found, path)
		}
	}
	return found
}

// nextStart is what the next start says on its standard error.
func (d *desk) nextStart() string {
	d.t.Helper()
	cmd := d.connsync("show")
	var errors bytes.Buffer
	cmd.Stderr = &errors
	if err := cmd.Run(); err != nil {
		d.t.Fatalf("the next start: %v\n%s", err, &errors)
	}
	return errors.String()
}

// traced runs the save of a desk under a tracer.
func (d *desk) traced(at func(number int, c systemCall) (bool, syscall.Errno)) (calls []systemCall, printed string, status int) {
	d.t.Helper()
	tr := &tracer{dirs: d.dirs(), at: at}
	err := d.node.Enter(func() (err error) {
		printed, status, err = tr.run(d.connsync(d.save("3999")...))
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	for i := range tr.calls {
		tr.calls[i].on = strings.ReplaceAll(tr.calls[i].on, d.dir+"/", "")
	}
	return tr.calls, printed, status
}

// reaches tells when a save comes to the call at a place in the list of
// another one's.
func (d *desk) reaches(calls []systemCall, at int) func(systemCall) bool {
	here := reaches(calls, at)
	return func(c systemCall) bool {
		return here(systemCall{c.name, strings.ReplaceAll(c.on, d.dir+"/", "")})
	}
}

// reaches tells when a run comes to the call at a place in the list of another
// one's: the same call, for as many times. The number alone would not do, since
// a call that a signal interrupts is made again.
func reaches(calls []systemCall, at int) func(systemCall) bool {
	left := 1
	for _, c := range calls[:at] {
		if c == calls[at] {
			left++
		}
	}
	return func(c systemCall) bool {
		if c != calls[at] {
			return false
		}
		left--
		return left == 0
	}
}

// The list of the calls is what strace sees of the same save.
func TestTracerSeesWhatStraceSees(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	calls, printed, status := d.copy(t).traced(nil)
	if status != exitDone {
		t.Fatalf("exit status %d:\n%s", status, printed)
	}
	got := map[string]int{}
	for _, c := range calls {
		got[c.name]++
	}
	other := d.copy(t)
	want := straced(t, other.connsync(other.save("3999")...), other.dirs())
	// How many pieces /proc is read in depends on what else runs.
	delete(got, "getdents64")
	delete(want, "getdents64")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls on files by name (-strace +tracer):\n%s", diff)
	}
}

// A save that is killed at any of its system calls leaves the whole old or the
// whole new file. The next start finds what was left, says so in one sentence
// and leaves nothing; the one after it has nothing to say. Of calls in a row that
// change nothing the first stands for all.
func TestSaveKilledAtEveryCall(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	finished := d.copy(t)
	calls, printed, status := finished.traced(nil)
	if status != exitDone {
		t.Fatalf("exit status %d:\n%s", status, printed)
	}
	old, saved := d.content(), finished.content()
	if bytes.Equal(old, saved) {
		t.Fatal("the save changed nothing")
	}
	kept := make([]string, len(calls))
	t.Run("calls", func(t *testing.T) {
		for i, c := range calls {
			if i > 0 && i < len(calls)-1 && !c.mayChange() && !calls[i-1].mayChange() {
				continue
			}
			t.Run(fmt.Sprintf("%03d %s", i, c.name), func(t *testing.T) {
				t.Parallel()
				kept[i] = killedAt(t, d.copy(t), i, calls, old, saved)
			})
		}
	})
	changes := slices.DeleteFunc(slices.Clone(calls), func(c systemCall) bool { return !c.mayChange() })
	t.Logf("measured: %d calls on files, of them %d that may change something", len(calls), len(changes))
	if first, last := kept[0], kept[len(kept)-1]; first != "old" || last != "new" {
		t.Errorf("killed at the first call the file is the %s one, at the last the %s one", first, last)
	}
}

func killedAt(t *testing.T, d *desk, at int, calls []systemCall, old, saved []byte) string {
	here := d.reaches(calls, at)
	_, printed, status := d.traced(func(_ int, c systemCall) (bool, syscall.Errno) { return here(c), 0 })
	seen := calls[at]
	if status != -1 {
		t.Fatalf("not killed at %s, exit status %d:\n%s", seen, status, printed)
	}
	which := map[string]string{string(old): "old", string(saved): "new"}
	after := which[string(d.content())]
	if after == "" {
		t.Fatalf("killed at %s, the file is neither the old nor the new one:\n%s", seen, d.content())
	}
	litter, said := d.litter(), d.nextStart()
	if (len(litter) > 0) != (said != "") || strings.Count(said, "\n") > 1 {
		t.Errorf("killed at %s: left %q, and the next start says %q", seen, litter, said)
	}
	final := which[string(d.content())]
	if final != after { // nobody runs a daemon: whichever file is whole stays
		t.Errorf("killed at %s, the file was the %s one, and the next start made it %q; it said %q", seen, after, final, said)
	}
	if left := d.litter(); len(left) > 0 {
		t.Errorf("killed at %s: after the next start there is %q", seen, left)
	}
	if said == "" {
		return final // as if there had been no save
	}
	if again := d.nextStart(); again != "" {
		t.Errorf("killed at %s: the second start says %q", seen, again)
	}
	if !seen.mayChange() {
		return final
	}
	if out, err := d.connsync(d.save("4000")...).CombinedOutput(); err != nil {
		t.Errorf("killed at %s, the next save: %v\n%s", seen, err, out)
	}
	return final
}

// faults are the errors that a call can fail with on a disk that is full,
// broken or mounted read-only.
func faults(c systemCall) []syscall.Errno {
	switch c.name {
	case "openat", "mkdirat":
		return []syscall.Errno{syscall.ENOSPC, syscall.EROFS}
	case "renameat", "renameat2", "unlinkat":
		return []syscall.Errno{syscall.EIO, syscall.EROFS}
	case "write", "pwrite64", "ftruncate":
		return []syscall.Errno{syscall.ENOSPC, syscall.EIO}
	case "fchmod", "fchown", "fsetxattr":
		return []syscall.Errno{syscall.EROFS}
	}
	return []syscall.Errno{syscall.EIO} // fsync, close
}

// A save one of whose calls fails leaves the old file in force, cleans up and
// names the operation. Only what fails after all is done, the history's last
// word, does not undo the save: it is told, and settled by the next start.
func TestSaveWithEveryCallFailing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	finished := d.copy(t)
	calls, printed, status := finished.traced(nil)
	if status != exitDone {
		t.Fatalf("exit status %d:\n%s", status, printed)
	}
	old, saved := d.content(), finished.content()
	commit := slices.IndexFunc(calls, func(c systemCall) bool {
		return c.name == "renameat" && strings.HasSuffix(c.on, " to etc/conntrackd.conf")
	})
	if commit < 0 {
		t.Fatal("no call puts the file in its place")
	}
	done := commit + slices.IndexFunc(calls[commit:], func(c systemCall) bool { return c.name == "fsync" && c.on == "etc" })
	for i, c := range calls {
		written := c.name == "close" && strings.Contains(c.on, ".connsync-*")
		if !c.mayChange() && !written {
			continue
		}
		for _, fault := range faults(c) {
			t.Run(fmt.Sprintf("%03d %s %s", i, c.name, unix.ErrnoName(fault)), func(t *testing.T) {
				t.Parallel()
				failsAt(t, d.copy(t), calls, i, fault, i > done, old, saved)
			})
		}
	}
}

func failsAt(t *testing.T, d *desk, calls []systemCall, at int, fault syscall.Errno, done bool, old, saved []byte) {
	here, failed := d.reaches(calls, at), false
	_, printed, status := d.traced(func(_ int, c systemCall) (bool, syscall.Errno) {
		if here(c) || done && failed && c.mayChange() { // the history is tried once more
			failed = true
			return false, fault
		}
		return false, 0
	})
	if !failed {
		t.Fatalf("no call is %s:\n%s", calls[at], printed)
	}
	want, wantStatus := old, exitRefused
	if done {
		want, wantStatus = saved, exitDone
	}
	c := calls[at]
	if got := d.content(); !bytes.Equal(got, want) || status != wantStatus {
		t.Errorf("%s fails with %v: exit status %d, want %d; the file (-want +got):\n%s\n%s", c, fault, status, wantStatus, cmp.Diff(string(want), string(got)), printed)
	}
	directory, _, _ := strings.Cut(c.on, "/")
	if !strings.Contains(printed, fault.Error()) || !strings.Contains(printed, filepath.Join(d.dir, directory)) || !strings.Contains(printed, "FAIL ") {
		t.Errorf("%s fails with %v, and this does not say so:\n%s", c, fault, printed)
	}
	litter := d.litter()
	if !done && len(litter) > 0 {
		t.Errorf("%s fails with %v: left %q", c, fault, litter)
	}
	said, left := d.nextStart(), d.litter()
	if (said != "") != (len(litter) > 0) || len(left) > 0 {
		t.Errorf("%s fails with %v: left %q, the next start says %q and leaves %q", c, fault, litter, said, left)
	}
	if got := d.content(); !bytes.Equal(got, want) {
		t.Errorf("%s fails with %v: the next start changed the file to\n%s", c, fault, got)
	}
}
