// Package rootless leaves those tests of a package out that need root, where the user is
// an ordinary one.
package rootless

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

var named []string // by LeftOut, in this process

// LeftOut names the tests of a package that need root: for namespaces, other owners of
// files, or what only root is told. It is called while the package's variables are set,
// before the flags of the tests are read. Without root it leaves the tests out and says
// so, which go test shows with -v; with root it does nothing.
func LeftOut(tests ...string) bool {
	named = append(named, tests...)
	os.Args = without(os.Geteuid(), os.Args, tests)
	// The daemon and the firewall's programs are where an ordinary user's PATH does
	// not look.
	return os.Geteuid() == 0 || os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin") == nil
}

// without are the arguments of a process that runs tests without those.
func without(user int, arguments, tests []string) []string {
	runsTests := func(arg string) bool { return strings.HasPrefix(arg, "-test.") }
	if user == 0 || len(tests) == 0 || !slices.ContainsFunc(arguments, runsTests) {
		return arguments
	}
	fmt.Fprintf(os.Stderr, "left out without root: %s\n", strings.Join(tests, " "))
	return slices.Insert(slices.Clone(arguments), 1, "-test.skip=^("+strings.Join(tests, "|")+")$")
}

// testFunction is the name of a test function, or of one within it.
var testFunction = regexp.MustCompile(`\.(Test[A-Z_]\w*)(?:\.|$)`)

// Unnamed is the test that calls it and that LeftOut does not name; blank where there is
// none, or another goroutine than the test's calls. What only root can do calls it, so that
// a test which needs root fails for root too as long as an ordinary user would meet it.
func Unnamed() string {
	callers := make([]uintptr, 256)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		if m := testFunction.FindStringSubmatch(frame.Function); m != nil && m[1] != "TestMain" && !slices.Contains(named, m[1]) {
			return m[1]
		}
	}
	return ""
}
