package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A check for vulnerabilities that could not run is no silent pass: it is said with
// the versions of the modules, and counted by what runs it.
func TestVulncheckThatCouldNotRun(t *testing.T) {
	dir := t.TempDir()
	file := func(name, script string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// In place of "go tool govulncheck", as it ends without a network.
	fake := file("go", `[ "$1" = tool ] || exec "$REAL" "$@"
echo "govulncheck: fetching vulnerabilities: Get \"https://vuln.go.dev/index/modules.json.gz\": dial tcp: no route to host" >&2
exit 1
`)
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	unchecked := filepath.Join(dir, "unchecked")
	vulncheck := func(more ...string) (string, error) {
		cmd := exec.Command("scripts/vulncheck")
		cmd.Dir = ".."
		cmd.Env = append(append(os.Environ(), "GO="+fake, "REAL="+goTool, "UNCHECKED="+unchecked), more...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := vulncheck()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	for _, want := range []string{"govulncheck: NOT CHECKED", "no route to host", "\n  go1.", "\n  golang.org/x/sys v", "\n  charm.land/bubbletea/v2 v"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
	if content, err := os.ReadFile(unchecked); err != nil || strings.Count(string(content), "\n") != 1 {
		t.Errorf("counted as %q (%v)", content, err)
	}
	if out, err := vulncheck("VULNCHECK=required"); err == nil {
		t.Errorf("it is required, and passes: %s", out)
	}
	// What runs it says how many there are.
	file("make", `[ "$1" != lint ] || echo "govulncheck: its database cannot be reached" >>"$UNCHECKED"`+"\n")
	cmd := exec.Command("../.ci/run")
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	const want = "passed; 1 not checked\n  govulncheck: its database cannot be reached\n"
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
		t.Errorf("%v: %s; want %s", err, out, want)
	}
}
