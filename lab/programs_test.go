package lab

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// startItself are the files that start this very program once more, which runs already.
var startItself = []string{"../tui/console/guard.go", "../conntrackd/refresh/keeper.go"}

// The product runs programs through trust alone, which looks at who could have put
// them there.
func TestProgramsAreStartedByTrust(t *testing.T) {
	seen := 0
	eachProductFile(t, func(name, file string) {
		for _, call := range uses(t, file, "exec.Command", "exec.CommandContext", "exec.LookPath", "os.StartProcess", "syscall.Exec", "unix.Exec", "syscall.ForkExec") {
			seen++
			if name != "trust" && !slices.Contains(startItself, file) {
				t.Errorf("%s: %s; take trust.Command or trust.Program", file, call)
			}
		}
	})
	if seen == 0 {
		t.Error("not even trust starts a program; is this how it is done?")
	}
}

// Temporary files are where no other user can exchange them, whatever TMPDIR says.
func TestTemporaryFilesAreThoseOfTrust(t *testing.T) {
	seen := 0
	eachProductFile(t, func(name, file string) {
		for _, call := range uses(t, file, "os.MkdirTemp", "os.CreateTemp", "os.TempDir") {
			seen++
			if name != "trust" {
				t.Errorf("%s: %s; take trust.TemporaryDirectory", file, call)
			}
		}
	})
	if seen == 0 {
		t.Error("not even trust makes a temporary directory; is this how it is done?")
	}
}

// The product makes paths absolute, and follows links, as the kernel does: what cuts ".."
// off as text names another file behind a link.
func TestPathsAreTheKernels(t *testing.T) {
	seen := 0
	eachProductFile(t, func(name, file string) {
		seen += len(uses(t, file, "trust.Absolute", "trust.Target", "hostfile.Absolute"))
		for _, call := range uses(t, file, "filepath.Abs") {
			t.Errorf("%s: %s; take hostfile.Absolute or trust.Absolute", file, call)
		}
	})
	if seen == 0 {
		t.Error("nothing makes a path absolute; is this how it is done?")
	}
}

func eachProductFile(t *testing.T, do func(name, file string)) {
	t.Helper()
	for _, p := range product(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		files, err := filepath.Glob(filepath.Join("..", name, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				do(name, file)
			}
		}
	}
}

// uses are those of the names of other packages that a file has.
func uses(t *testing.T, file string, names ...string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := s.X.(*ast.Ident); ok {
			call := pkg.Name + "." + s.Sel.Name
			if slices.Contains(names, call) {
				found = append(found, call)
			}
		}
		return true
	})
	return found
}
