package main

import (
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w*)\(`)

// targets are the fuzz targets of the module, as "package target".
func targets(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		for _, m := range fuzzTarget.FindAllSubmatch(content, -1) {
			all = append(all, filepath.ToSlash(dir)+" "+string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// A new fuzz target gets a planted defect, and none outlives its target.
func TestEveryTargetHasOneDefect(t *testing.T) {
	var planted []string
	for _, d := range defects {
		planted = append(planted, d.dir+" "+d.target)
	}
	slices.Sort(planted)
	if diff := cmp.Diff(targets(t), planted); diff != "" {
		t.Errorf("fuzz targets and planted defects differ (-targets +planted):\n%s", diff)
	}
}

// A defect can be planted today: what it replaces stands in its file, once.
func TestDefectsCanBePlanted(t *testing.T) {
	for _, d := range defects {
		content, err := os.ReadFile(filepath.Join(root, d.file))
		if err != nil {
			t.Error(err)
			continue
		}
		broken, err := d.plant(string(content))
		if err != nil {
			t.Error(err)
			continue
		}
		formatted, err := format.Source([]byte(broken))
		switch {
		case err != nil:
			t.Errorf("%s %s: with the defect %s is no Go: %v", d.dir, d.target, d.file, err)
		case string(formatted) == string(content):
			t.Errorf("%s %s: the defect changes nothing in %s", d.dir, d.target, d.file)
		case strings.HasSuffix(d.file, "_test.go"):
			t.Errorf("%s %s: the defect is in a test", d.dir, d.target)
		case len(strings.Fields(d.what)) < 3:
			t.Errorf("%s %s: %q does not say what the defect is", d.dir, d.target, d.what)
		}
	}
}

func TestPlant(t *testing.T) {
	d := defect{old: "a == b", new: "a != b"}
	for content, want := range map[string]string{"if a == b {": "if a != b {", "": "", "a == b, a == b": ""} {
		if got, err := d.plant(content); got != want || (err == nil) != (want != "") {
			t.Errorf("%q became %q (%v), want %q", content, got, err, want)
		}
	}
}

// Nothing but an input that breaks the law is a defect that was found.
func TestJudge(t *testing.T) {
	const progress = "fuzz: elapsed: 0s, gathering baseline coverage: 0/2 completed\nfuzz: elapsed: 3s, execs: 1200 (400/sec), new interesting: 3 (total: 5)\n"
	for _, test := range []struct {
		name, log string
		passed    bool
		want      string
	}{
		{"nothing found", progress + "PASS\nok  \tx\t3.0s\n", true, "NOT FOUND"},
		{"by fuzzing", progress + "--- FAIL: FuzzX (0.02s)\n    --- FAIL: FuzzX (0.00s)\n        x_test.go:9: bad\n    \n    Failing input written to testdata/fuzz/FuzzX/771e938e4458e983\n", false, "1200 executions"},
		{"by a seed", "failure while testing seed corpus entry: FuzzX/seed#1\n--- FAIL: FuzzX (0.02s)\n", false, "a seed"},
		{"it does not compile", "# x\n./x.go:3:2: undefined: y\nFAIL\tx [build failed]\n", false, "COULD NOT RUN"},
		{"the target ends itself", "--- FAIL: FuzzX (0.00s)\n    x_test.go:9: no replies\n", false, "COULD NOT RUN"},
		{"killed", progress + "signal: killed\n", false, "COULD NOT RUN"},
		{"there is no such target", "testing: warning: no fuzz tests to fuzz\nPASS\n", true, "COULD NOT RUN"},
	} {
		if got := judge(test.log, test.passed).String(); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestChoose(t *testing.T) {
	for only, want := range map[string]int{"": len(defects), "^FuzzJournal$": 2, "hostfile": 1, "FuzzNone": 0, "(": 0} {
		if got, err := choose(only); len(got) != want || (err == nil) != (want > 0) {
			t.Errorf("%q chooses %d defects (%v), want %d", only, len(got), err, want)
		}
	}
}

// The copy has the tracked files as they are now and nothing else, and leaves nothing.
func TestCopy(t *testing.T) {
	from := t.TempDir()
	write := func(name, content string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(from, name), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("tracked", "old\n", 0o755)
	write("removed", "old\n", 0o644)
	if err := os.Symlink("tracked", filepath.Join(from, "link")); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"init -q", "add ."} {
		cmd := exec.Command("git", strings.Fields(args)...)
		cmd.Dir = from
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v: %s", args, err, out)
		}
	}
	write("tracked", "new\n", 0o755)
	write("crasher", "x\n", 0o644)
	if err := os.Remove(filepath.Join(from, "removed")); err != nil {
		t.Fatal(err)
	}
	c, err := newCopy(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		content, _ := os.ReadFile(filepath.Join(c.dir, e.Name()))
		got[e.Name()] = e.Type().String() + " " + string(content)
	}
	if diff := cmp.Diff(map[string]string{"tracked": "---------- new\n", "link": "L--------- new\n"}, got); diff != "" {
		t.Errorf("the copy (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(filepath.Join(c.dir, "tracked")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the mode of a program: %v (%v)", info.Mode(), err)
	}
	if err := c.remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(c.top); err == nil {
		t.Errorf("%s is left", c.top)
	}
}
