package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"connsync/lab"
)

// Whatever ends the program in a save, at whatever instant, the file is whole, the
// next start repairs what there is, and nothing else is left. "make crash" does
// more of them.
func TestCrash(t *testing.T) {
	program := filepath.Join(t.TempDir(), "connsync")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "connsync/cmd/connsync")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const number = 24
	figures, err := crash(t.Context(), options{program: program, kills: number, seed: 20261129, nodes: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("measured:\n%v", figures)
	if done := figures.counts[kills]; done < number*9/10 {
		t.Errorf("%d kills, want %d", done, number)
	}
	for _, failure := range figures.failures {
		t.Error(failure)
	}
}

// The same seed draws the same kills, and all kinds of them.
func TestKillsAreDrawn(t *testing.T) {
	seen := map[string]int{}
	for i := range 1000 {
		k := newKill(7, i)
		if k != newKill(7, i) {
			t.Fatalf("%v is another one the next time", k)
		}
		seen[k.kind]++
		seen[k.name()]++
		if k.stopped {
			seen[held]++
		}
	}
	for _, what := range []string{byApply, byRollback, byForm, "SIGKILL", "SIGTERM", "SIGHUP", "SIGQUIT", "closed line", held} {
		if seen[what] < 50 {
			t.Errorf("%s: %d of 1000", what, seen[what])
		}
	}
}

// What find says of a directory that is gone is no name of a file, and a name with a
// blank is one name.
func TestListNamesFilesAlone(t *testing.T) {
	pair, err := lab.NewPair(t.Context(), lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := pair.Close(); err != nil {
			t.Error(err)
		}
	}()
	dir := t.TempDir()
	want := []string{filepath.Join(dir, "a b.conf"), filepath.Join(dir, "c.conf")}
	for _, name := range want {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gone := filepath.Join(dir, "gone")
	if got, err := list(t.Context(), pair.A, dir, gone); err != nil || !slices.Equal(got, want) {
		t.Errorf("files are %q (%v), want %q", got, err, want)
	}
	if got, err := list(t.Context(), pair.A, gone); err == nil {
		t.Errorf("files of a directory that is gone are %q, want an error", got)
	}
}
