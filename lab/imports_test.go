package lab

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// goPackage is what "go list -json" says of one package.
type goPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
}

const module = "connsync/"

// allowed are the packages of ours that each package may import outside its
// tests: cmd -> tui -> {conntrackd, netcheck}, and the lab stands apart. The
// console line under the screens knows nothing of them, and what is said knows
// no screen.
var allowed = map[string][]string{
	"conntrackd":          {},
	"netcheck":            {},
	"netcheck/keepalived": {},
	"tui/console":         {},
	"tui/text":            {"conntrackd", "netcheck"},
	"tui":                 {"tui/text", "tui/console", "conntrackd", "netcheck"},
	"cmd/connsync":        {"tui", "tui/text", "tui/console", "conntrackd", "netcheck", "netcheck/keepalived"},
	"packaging":           {},
	"lab":                 {},
	"lab/demo":            {"lab"},
	"lab/failover":        {"lab"},
	"lab/vt102":           {},
	"lab/trees":           {"lab"},
	"lab/tty":             {"lab/vt102"},
	"lab/emulator":        {},
	"lab/benchserial":     {"lab", "lab/tty", "lab/vt102"},
	"lab/uart":            {"lab", "lab/tty", "lab/uart/wire"},
	"lab/uart/guest":      {"lab", "lab/uart/wire"},
	"lab/uart/wire":       {},
}

func TestImportArrows(t *testing.T) {
	packages := list(t, "./...")
	seen := map[string]bool{}
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module)
		seen[name] = true
		may, known := allowed[name]
		if !known {
			t.Errorf("package %s has no place in the import arrows; give it one", name)
			continue
		}
		for _, imported := range ours(p.Imports) {
			if !slices.Contains(may, imported) {
				t.Errorf("%s imports %s; it may import %v", name, imported, may)
			}
		}
		for _, imported := range ours(append(p.TestImports, p.XTestImports...)) {
			// A test may use the lab, what stands under it, and its own package besides.
			ofLab := imported == "lab" || strings.HasPrefix(imported, "lab/")
			if !ofLab && imported != name && !slices.Contains(may, imported) {
				t.Errorf("a test of %s imports %s; it may import lab and %v", name, imported, may)
			}
		}
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("package %s is in the import arrows and not in the module", name)
		}
	}
}

// The libraries could be published alone, and the product holds nothing of the
// lab nor of the tests' tools.
func TestDependenciesOfTheProduct(t *testing.T) {
	for _, p := range list(t, "./cmd/connsync", "./tui", "./tui/text", "./conntrackd", "./netcheck") {
		name := strings.TrimPrefix(p.ImportPath, module)
		screen := name == "tui" || strings.HasPrefix(name, "cmd/")
		for _, dep := range p.Deps {
			switch {
			case strings.HasPrefix(dep, module+"lab"), dep == "testing",
				strings.Contains(dep, "/teatest"), strings.HasPrefix(dep, "github.com/rogpeppe/go-internal"):
				t.Errorf("%s depends on %s, which is for tests", name, dep)
			case !screen && strings.HasPrefix(dep, "charm.land/"):
				t.Errorf("%s depends on %s, which is for the screen", name, dep)
			case !screen && name != "tui/text" && strings.HasPrefix(dep, module):
				t.Errorf("%s depends on %s", name, dep)
			}
		}
	}
}

func ours(imports []string) []string {
	var names []string
	for _, path := range imports {
		if name, ok := strings.CutPrefix(path, module); ok {
			names = append(names, name)
		}
	}
	return names
}

func list(t *testing.T, patterns ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,TestImports,XTestImports,Deps"}, patterns...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v: %s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
