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
// tests: cmd -> {tui, node}, tui -> tui/text, and all of them what they need of
// the two libraries, conntrackd and netcheck, which do not know each other and
// share how they read what any user may have made. The
// console line under the screens knows nothing of them, what is said knows no
// screen, and the lab stands apart.
var allowed = map[string][]string{
	"trust":   {"shell"},
	"outlet":  {},
	"stalled": {},
	"plural":  {},
	"shell":   {},

	"conntrackd/hostfile": {"shell", "trust"},
	"conntrackd/typed":    {"plural"},
	"conntrackd":          {"conntrackd/hostfile", "conntrackd/typed", "plural", "trust"},
	"conntrackd/step":     {},
	"conntrackd/control":  {},
	"conntrackd/service":  {"conntrackd", "conntrackd/control", "conntrackd/service/bus", "conntrackd/service/journal", "conntrackd/service/rcdeps", "conntrackd/service/sdunit", "shell", "trust"},

	"conntrackd/service/bus":     {},
	"conntrackd/service/journal": {"trust"},
	"conntrackd/service/rcdeps":  {"trust"},
	"conntrackd/service/sdunit":  {"trust"},

	"conntrackd/coverage": {"conntrackd", "conntrackd/control", "plural", "shell", "trust"},
	"conntrackd/mailbox":  {"conntrackd", "conntrackd/coverage"},
	"conntrackd/health":   {"conntrackd", "conntrackd/control", "conntrackd/coverage", "conntrackd/mailbox", "conntrackd/service", "plural", "shell", "trust"},
	"conntrackd/trial":    {"conntrackd", "conntrackd/control", "conntrackd/hostfile", "conntrackd/service", "conntrackd/health", "trust"},
	"conntrackd/prepare":  {"conntrackd", "conntrackd/hostfile", "conntrackd/service", "conntrackd/refresh", "shell", "trust"},
	"conntrackd/refresh":  {"conntrackd", "conntrackd/control", "conntrackd/hostfile", "trust"},
	"conntrackd/failover": {"conntrackd", "conntrackd/control", "conntrackd/hostfile", "conntrackd/step", "conntrackd/typed", "plural"},
	"conntrackd/apply":    libraries("conntrackd", "conntrackd/apply", "plural", "shell", "trust"),

	"conntrackd/events": {"conntrackd/apply", "conntrackd/failover", "conntrackd/health", "conntrackd/hostfile", "conntrackd/service", "trust"},

	"netcheck/check":      {},
	"netcheck/dump":       {"trust"},
	"netcheck/packet":     {},
	"netcheck/route":      {"trust"},
	"netcheck/ethtool":    {},
	"netcheck/group":      {"netcheck/check", "netcheck/firewall", "trust"},
	"netcheck/ipsec":      {"netcheck/check", "netcheck/dump", "netcheck/firewall", "netcheck/packet", "trust"},
	"netcheck/tc":         {"netcheck/check", "netcheck/dump", "netcheck/firewall", "netcheck/packet"},
	"netcheck/keepalived": {"trust"},
	"netcheck/nft":        {"netcheck/dump", "trust"},
	"netcheck/legacy":     {"trust"},
	"netcheck/cthelper":   {"netcheck/legacy", "netcheck/nft"},
	"netcheck/firewall":   {"netcheck/check", "netcheck/dump", "netcheck/legacy", "netcheck/nft", "netcheck/packet", "netcheck/route", "shell", "trust"},
	"netcheck":            {"netcheck/check", "netcheck/dump", "netcheck/ethtool", "netcheck/group", "netcheck/ipsec", "netcheck/packet", "netcheck/route", "netcheck/firewall", "netcheck/tc", "plural", "trust"},
	"netcheck/live":       {"netcheck", "netcheck/check", "trust"},

	"netcheck/spare":  {"netcheck", "netcheck/check", "netcheck/firewall"},
	"netcheck/likely": {"netcheck"},

	"node/candidates":   {"conntrackd/coverage", "netcheck", "netcheck/check", "netcheck/firewall", "netcheck/likely"},
	"node/asked":        {"conntrackd/health", "conntrackd/hostfile", "conntrackd/service"},
	"node/dependents":   {"conntrackd/service", "netcheck/check"},
	"node/firewallboot": {"trust"},
	"node/hookscript":   {"trust"},
	"node/install":      {"trust"},
	"node/failoverlog":  {"conntrackd/failover", "conntrackd/hostfile", "outlet"},
	"node/helpers":      {"conntrackd", "conntrackd/control", "conntrackd/coverage", "conntrackd/mailbox", "netcheck/check", "netcheck/cthelper", "plural", "shell"},

	"node/lifetime": {"conntrackd/coverage", "conntrackd/refresh", "netcheck/check", "plural", "shell"},

	"node":         libraries("both", "", "netcheck/cthelper", "netcheck/spare", "node/asked", "node/candidates", "node/dependents", "node/failoverlog", "node/firewallboot", "node/helpers", "node/hookscript", "node/install", "node/lifetime", "plural", "shell", "trust", "outlet"),
	"node/report":  {"conntrackd/apply", "conntrackd/control", "conntrackd/coverage", "conntrackd/events", "conntrackd/failover", "conntrackd/health", "conntrackd/service", "node"},
	"tui/text":     libraries("both", "", "plural", "shell"),
	"tui/console":  {"tui/console/keys"},
	"tui":          libraries("both", "", "netcheck/likely", "plural", "shell", "tui/text", "tui/console"),
	"cmd/connsync": libraries("both", "", "conntrackd/typed", "node", "node/failoverlog", "tui", "tui/text", "tui/console", "trust", "outlet", "stalled", "plural", "shell", "cmd/connsync/fromfile", "cmd/connsync/completion", "cmd/connsync/flaghelp", "cmd/connsync/manpage", "cmd/connsync/metrics", "cmd/connsync/upkeep", "cmd/connsync/call"),

	"cmd/connsync/fromfile":   {"conntrackd", "conntrackd/hostfile"},
	"cmd/connsync/metrics":    {"conntrackd", "conntrackd/control", "conntrackd/health", "conntrackd/service", "tui/text"},
	"cmd/connsync/completion": {"conntrackd", "conntrackd/apply", "conntrackd/failover", "conntrackd/service", "netcheck", "node", "tui/text"},

	"cmd/connsync/flaghelp": {"conntrackd", "conntrackd/typed"},
	"cmd/connsync/manpage":  {"conntrackd", "cmd/connsync/flaghelp"},
	"cmd/connsync/call":     {"cmd/connsync/completion", "cmd/connsync/flaghelp", "conntrackd/typed"},

	"cmd/connsync/upkeep": {"conntrackd/hostfile", "conntrackd/prepare", "conntrackd/refresh", "conntrackd/typed", "node", "node/report", "plural", "tui/text"},

	"tui/console/keys": {},

	// What tests of several packages share.
	"conntrackd/hostfile/hostfiletest": {},
	"conntrackd/conntracktest":         {"conntrackd"},
	"conntrackd/pairtest":              {"conntrackd", "conntrackd/control", "conntrackd/service", "conntrackd/conntracktest", "lab"},

	"packaging":        {},
	"lab":              {"lab/rootless"},
	"lab/demo":         {"lab"},
	"lab/failover":     {"lab", "lab/flows"},
	"lab/systems":      {"lab", "lab/vt102"},
	"lab/weigh":        {"lab"},
	"lab/rootless":     {},
	"lab/flows":        {"lab"},
	"lab/vt102":        {},
	"lab/trees":        {"lab"},
	"lab/tty":          {"lab/vt102"},
	"lab/emulator":     {},
	"lab/benchrefresh": {"lab"},
	"lab/others":       {"lab"},
	"lab/benchserial":  {"lab", "lab/others", "lab/tty", "lab/vt102"},
	"lab/bench":        {"conntrackd", "conntrackd/conntracktest", "lab", "lab/others", "lab/tty"},
	"lab/screenshots":  {"lab", "lab/tty", "lab/vt102"},
	"lab/crash":        {"lab", "lab/tty"},
	"lab/planted":      {},
	"lab/flood":        {"lab", "lab/tty"},
	"lab/uart":         {"lab", "lab/tty", "lab/uart/wire"},
	"lab/uart/guest":   {"lab", "lab/uart/wire"},
	"lab/uart/wire":    {},
}

// testsMay are packages besides that the tests of a package may import, from
// outside it: they save for real, and look at what came of it, or type as a
// terminal does.
var testsMay = map[string][]string{
	"tui": {"tui/console/keys"},

	"node/report":       {"conntrackd", "conntrackd/mailbox"},
	"conntrackd/health": {"conntrackd/failover", "conntrackd/step"},

	"conntrackd/service": {"conntrackd/apply", "conntrackd/health", "conntrackd/step"},
}

// libraries are the packages of conntrackd, of netcheck or of both but one, and
// more.
func libraries(which, but string, more ...string) []string {
	all := []string{"conntrackd", "conntrackd/hostfile", "conntrackd/step", "conntrackd/control", "conntrackd/service", "conntrackd/coverage", "conntrackd/mailbox", "conntrackd/health",
		"conntrackd/trial", "conntrackd/prepare", "conntrackd/failover", "conntrackd/refresh", "conntrackd/apply"}
	if which == "both" {
		all = append(all, "conntrackd/events") // which is made of the others
	}
	if which == "both" {
		all = append(all, "netcheck", "netcheck/check", "netcheck/firewall", "netcheck/keepalived", "netcheck/live")
	}
	all = slices.DeleteFunc(all, func(name string) bool { return name == but })
	return append(all, more...)
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
			// A test may use the lab, what tests share, and its own package besides.
			forTests := imported == "lab" || strings.HasPrefix(imported, "lab/") || strings.HasSuffix(imported, "test")
			if !forTests && imported != name && !slices.Contains(may, imported) && !slices.Contains(testsMay[name], imported) {
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

// The libraries could be published with trust, plural and shell alone, and the product holds nothing of the
// lab nor of the tests' tools.
func TestDependenciesOfTheProduct(t *testing.T) {
	for _, p := range product(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		library, _, _ := strings.Cut(name, "/")
		screen := library == "cmd" || library == "tui" && name != "tui/text"
		alone := library == "conntrackd" || library == "netcheck"
		for _, dep := range p.Deps {
			switch {
			case strings.HasPrefix(dep, module+"lab"), dep == "testing",
				strings.Contains(dep, "/teatest"), strings.HasPrefix(dep, "github.com/rogpeppe/go-internal"):
				t.Errorf("%s depends on %s, which is for tests", name, dep)
			case !screen && strings.HasPrefix(dep, "charm.land/"):
				t.Errorf("%s depends on %s, which is for the screen", name, dep)
			case alone && strings.HasPrefix(dep, module) && dep != module+"trust" && dep != module+"plural" && dep != module+"shell" && !strings.HasPrefix(dep+"/", module+library+"/"):
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

// product are the packages that are not the lab, nor help tests alone.
func product(t *testing.T) []goPackage {
	t.Helper()
	return slices.DeleteFunc(list(t, "./..."), func(p goPackage) bool {
		name := strings.TrimPrefix(p.ImportPath, module)
		return name == "lab" || strings.HasPrefix(name, "lab/") || strings.HasSuffix(name, "test")
	})
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
