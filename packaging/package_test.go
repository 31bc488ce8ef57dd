// Package packaging holds what the .deb and the .rpm are made from. Its tests
// build them, look into them and install them.
package packaging

import (
	"bytes"
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var built struct {
	sync.Once
	dir string
	err error
}

// goarch is what this host can run.
const goarch = runtime.GOARCH

func TestMain(m *testing.M) {
	status := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(status)
}

// packages builds the packages once for all tests and returns their directory.
func packages(t *testing.T) string {
	t.Helper()
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "connsync-packages-"); built.err == nil {
			built.err = buildIn("..", built.dir)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

// buildIn runs the build of the source tree given, as another shell would
// with extra in its environment.
func buildIn(tree, out string, extra ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(tree, "packaging/build"), out)
	cmd.Env = append(os.Environ(), extra...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return &buildError{err, output}
	}
	return nil
}

type buildError struct {
	err    error
	output []byte
}

func (e *buildError) Error() string {
	return "build the packages: " + e.err.Error() + "\n" + string(e.output)
}

// run runs a program of this host and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func version(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../cmd/connsync/version.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

// The names of the packages say version and architecture.
func deb(t *testing.T, arch string) string {
	return filepath.Join(packages(t), "connsync_"+version(t)+"-1_"+arch+".deb")
}

func rpm(t *testing.T, arch string) string {
	return filepath.Join(packages(t), "connsync-"+version(t)+"-1."+arch+".rpm")
}

// A second build, of a copy elsewhere, under another umask, language, time zone
// and home and an hour later, gives the same bytes.
func TestTwoBuildsAreIdentical(t *testing.T) {
	first := packages(t) // before the tests that run beside each other, whose time is bounded
	t.Parallel()
	copied, second := filepath.Join(t.TempDir(), "elsewhere"), t.TempDir()
	// All but what builds leave here, so that a new directory needs no word here.
	copySource := `umask 077; mkdir -p "$0" && cd .. && find . -mindepth 1 -maxdepth 1 ! -name .git ! -name bin ! -name dist -exec cp -R -t "$0" {} +`
	run(t, "sh", "-c", copySource, copied)
	run(t, "find", copied, "-exec", "touch", "-h", "-d", "2001-01-01", "{}", "+")
	if err := buildIn(copied, second, "TZ=Pacific/Apia", "LC_ALL=C.UTF-8", "USER=somebody", "GOFLAGS=-buildvcs=auto"); err != nil {
		t.Fatal(err)
	}
	want := []string{"connsync-" + version(t) + "-1.aarch64.rpm", "connsync-" + version(t) + "-1.x86_64.rpm",
		"connsync_" + version(t) + "-1_amd64.deb", "connsync_" + version(t) + "-1_arm64.deb"}
	if got := names(t, second); !slices.Equal(got, want) {
		t.Fatalf("the build made %v, want %v", got, want)
	}
	for _, name := range want {
		a, errA := os.ReadFile(filepath.Join(first, name))
		b, errB := os.ReadFile(filepath.Join(second, name))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs between two builds", name)
		}
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// The version stands in one file; the newest entry of the changelog is of it.
func TestChangelogIsOfThisVersion(t *testing.T) {
	content, err := os.ReadFile("changelog.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(content), "- semver: ")
	if newest, _, _ := strings.Cut(rest, "\n"); newest != version(t)+"-1" {
		t.Errorf("the newest entry of changelog.yaml is %s, and the version is %s", newest, version(t))
	}
}

func TestRulesAreAccepted(t *testing.T) {
	run(t, "promtool", "check", "rules", "monitoring/alerts.yaml")
}

// The packaged program is position-independent, and takes no library of the host's.
func TestProgramIsPositionIndependent(t *testing.T) {
	t.Parallel()
	for _, arch := range []string{"amd64", "arm64"} {
		dir := t.TempDir()
		run(t, "dpkg-deb", "--extract", deb(t, arch), dir)
		program, err := elf.Open(filepath.Join(dir, "usr/sbin/connsync"))
		if err != nil {
			t.Fatal(err)
		}
		defer program.Close()
		libraries, err := program.ImportedLibraries()
		if program.Type != elf.ET_DYN || err != nil || len(libraries) > 0 {
			t.Errorf("%s: it is of type %v and takes %v (%v)", arch, program.Type, libraries, err)
		}
	}
}

// A template, whose text may call any method by its name, has the linker keep all
// methods of all types: a sixth of the program.
func TestProgramKeepsNoTemplates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run(t, "dpkg-deb", "--extract", deb(t, "amd64"), dir)
	program, err := os.ReadFile(filepath.Join(dir, "usr/sbin/connsync"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(program, []byte("text/template.")) { // init, as an import has it
		t.Error("the program has no names of functions any more, so that this test sees nothing")
	}
	if bytes.Contains(program, []byte("text/template.(*Template).Execute")) {
		t.Error("something executes a template")
	}
}

func TestLintianHasNothingToSay(t *testing.T) {
	t.Parallel()
	for _, arch := range []string{"amd64", "arm64"} {
		if out := run(t, "lintian", "--allow-root", "--fail-on", "error,warning", deb(t, arch)); strings.Contains(out, "E: ") {
			t.Errorf("%s: %s", arch, out)
		}
	}
}

// unwanted is part of the name of no file in a package.
const unwanted = "powershell"

// installed are the files that both kinds of package hold, beside units and man
// pages.
var installed = []string{
	"/etc/connsync",
	"/usr/lib/systemd/system/connsync-application.path",
	"/usr/lib/systemd/system/connsync-application.service",
	"/usr/lib/systemd/system/connsync-metrics.service",
	"/usr/lib/systemd/system/connsync-metrics.timer",
	"/usr/lib/systemd/system/connsync-refresh.service",
	"/usr/lib/systemd/system/connsync-setup.service",
	"/usr/lib/systemd/system/serial-getty@.service.d/connsync-setup.conf",
	"/usr/lib/connsync/setup-console",
	"/usr/sbin/connsync",
	"/usr/share/bash-completion/completions/connsync",
	"/usr/share/doc/connsync/README.md",
	"/usr/share/doc/connsync/SECURITY.md",
	"/usr/share/doc/connsync/copyright",
	"/usr/share/doc/connsync/docs/quickstart.md",
	"/usr/share/doc/connsync/docs/glossary.md",
	"/usr/share/doc/connsync/docs/json/status.schema.json",
	"/usr/share/doc/connsync/examples/ansible/site.yml",
	"/usr/share/doc/connsync/examples/ansible/roles/connsync/tasks/main.yml",
	"/usr/share/doc/connsync/examples/keepalived.conf",
	"/usr/share/doc/connsync/examples/nftables.conf",
	"/usr/share/doc/connsync/examples/monitoring/alerts.yaml",
	"/usr/share/doc/connsync/examples/monitoring/dashboard.json",
	"/usr/share/fish/vendor_completions.d/connsync.fish",
	"/usr/share/man/man8/connsync.8.gz",
	"/usr/share/man/man8/connsync-apply.8.gz",
	"/usr/share/man/man8/connsync-status.8.gz",
}

func TestRPM(t *testing.T) {
	for _, arch := range []string{"x86_64", "aarch64"} {
		path := rpm(t, arch)
		if got, want := run(t, "rpm", "-qp", "--qf", "%{NAME} %{VERSION} %{RELEASE} %{ARCH}", path), "connsync "+version(t)+" 1 "+arch; got != want {
			t.Errorf("it is %q, want %q", got, want)
		}
		files := strings.Fields(run(t, "rpm", "-qlp", path))
		for _, want := range append([]string{"/usr/share/zsh/site-functions/_connsync"}, installed...) {
			if !slices.Contains(files, want) {
				t.Errorf("%s is not in the %s package: %v", want, arch, files)
			}
		}
		if strings.Contains(strings.Join(files, " "), unwanted) {
			t.Errorf("the %s package has a page about %s: %v", arch, unwanted, files)
		}
		if out := run(t, "rpm", "-qp", "--requires", path); !slices.Contains(strings.Fields(out), "conntrack-tools") || !slices.Contains(strings.Fields(out), "glibc") {
			t.Errorf("the %s package does not require conntrack-tools and glibc: %s", arch, out)
		}
		run(t, "rpm", "-K", "--nosignature", path)
	}
}

func TestDeb(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		path := deb(t, arch)
		want := "connsync " + version(t) + "-1 " + arch + " conntrackd, libc6"
		if got := run(t, "dpkg-deb", "--show", "--showformat", "${Package} ${Version} ${Architecture} ${Depends}", path); got != want {
			t.Errorf("it is %q, want %q", got, want)
		}
		var files []string
		for line := range strings.Lines(run(t, "dpkg-deb", "--contents", path)) {
			f := strings.Fields(line)
			files = append(files, strings.TrimSuffix(strings.TrimPrefix(f[5], "."), "/"))
			if f[1] != "root/root" && f[1] != "0/0" {
				t.Errorf("%s belongs to %s", f[5], f[1])
			}
		}
		for _, want := range append([]string{"/usr/share/zsh/vendor-completions/_connsync", "/usr/share/doc/connsync/changelog.Debian.gz"}, installed...) {
			if !slices.Contains(files, want) {
				t.Errorf("%s is not in the %s package: %v", want, arch, files)
			}
		}
		if strings.Contains(strings.Join(files, " "), unwanted) {
			t.Errorf("the %s package has a page about %s: %v", arch, unwanted, files)
		}
	}
}
