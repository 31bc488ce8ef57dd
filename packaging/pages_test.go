package packaging

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// The page of the packages names every place that they put something into, and every
// unit; README and the page say what installing brings about.
func TestPagesSayWhatThePackagesDo(t *testing.T) {
	page, readme := read(t, "../docs/packages.md"), read(t, "../README.md")
	places := regexp.MustCompile(`(?m)^ +(?:- )?dst: "?([^"\n]+)"?$`).FindAllStringSubmatch(read(t, "nfpm.yaml"), -1)
	if len(places) < 20 {
		t.Fatalf("nfpm.yaml has %d destinations; is this where they are?", len(places))
	}
	for _, m := range places {
		place := strings.TrimSuffix(m[1], "/")
		named := false
		for p := place; p != "/" && !named; p = path.Dir(p) {
			named = strings.Contains(page, "| `"+p+"`") || strings.Contains(page, "`, `"+p+"`")
		}
		if !named {
			t.Errorf("docs/packages.md does not name %s", place)
		}
	}
	units, err := os.ReadDir("systemd")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		if !u.IsDir() && !strings.Contains(page, "`"+u.Name()+"`") {
			t.Errorf("docs/packages.md does not name %s", u.Name())
		}
	}
	loop := regexp.MustCompile(`for unit in ([^;]+); do\n\t\tdeb-systemd-helper unmask`).FindStringSubmatch(read(t, "deb/postinst"))
	if loop == nil || len(strings.Fields(loop[1])) != 3 {
		t.Fatalf("the .deb enables %q, and docs/packages.md speaks of three units", loop)
	}
	_, installing, _ := strings.Cut(page, "\nInstalling connsync starts and stops no service.")
	for _, unit := range strings.Fields(loop[1]) {
		if !strings.Contains(installing, "`"+unit+"`") {
			t.Errorf("docs/packages.md does not say that installing enables %s", unit)
		}
	}
	if !strings.Contains(installing, "systemctl disable connsync-setup.service") {
		t.Error("docs/packages.md does not say how to leave the setup out")
	}
	for name, text := range map[string]string{"README.md": readme, "docs/packages.md": installing} {
		for _, said := range []string{"statistics", "five minutes", "before login"} {
			if !strings.Contains(strings.Join(strings.Fields(text), " "), said) {
				t.Errorf("%s does not say %q of installing", name, said)
			}
		}
	}
	if !strings.Contains(read(t, "systemd/connsync-setup.service"), "\nEnvironment=CONNSYNC_PATIENCE=5m\n") {
		t.Error("the setup does not wait for five minutes")
	}
}

// Every picture and every link of the documentation that is installed leads to a file
// that is installed.
func TestInstalledDocumentationIsWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run(t, "dpkg-deb", "--extract", deb(t, goarch), dir)
	documents := filepath.Join(dir, "usr/share/doc/connsync")
	links := 0
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		names, err := filepath.Glob(filepath.Join(documents, pattern))
		if err != nil || len(names) < 2 {
			t.Fatalf("%s: %d pages, %v", pattern, len(names), err)
		}
		for _, name := range names {
			for _, m := range regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(read(t, name), -1) {
				links++
				if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
					t.Errorf("%s: %v", filepath.Base(name), err)
				}
			}
		}
	}
	if links < 50 {
		t.Errorf("%d links were found; is this where they are?", links)
	}
}
