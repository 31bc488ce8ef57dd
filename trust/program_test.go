package trust_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"connsync/trust"
)

// A program is one that nobody but root could have put there.
func TestProgram(t *testing.T) {
	const nobody = 65534
	dir := t.TempDir()
	program := func(name string, uid int, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755),
			os.Chown(path, uid, uid), os.Chmod(path, mode))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(name, target string) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(target, path)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, theirs, open := program("good", 0, 0o755), program("theirs", nobody, 0o755), program("open", 0, 0o775)
	inTheirs, inOpen, inSticky := program("a/good", 0, 0o755), program("b/good", 0, 0o755), program("c/good", 0, 0o755)
	linkInTheirs, linkOfTheirs := link("a/link", good), link("links", filepath.Join(dir, "a"))
	err := errors.Join(os.Chown(filepath.Join(dir, "a"), nobody, nobody), os.Chmod(filepath.Join(dir, "b"), 0o777),
		os.Chmod(filepath.Join(dir, "c"), 0o777|os.ModeSticky))
	if err != nil {
		t.Fatal(err)
	}
	for path, wrong := range map[string]string{
		good: "", link("link", "good"): "", inSticky: "", link("through", "sub/../c/good"): "absent",
		theirs: theirs, open: open, inTheirs: filepath.Dir(inTheirs), inOpen: filepath.Dir(inOpen),
		link("to-theirs", theirs): theirs, linkInTheirs: filepath.Dir(linkInTheirs), filepath.Join(linkOfTheirs, "link"): filepath.Dir(inTheirs),
		filepath.Join(dir, "gone"): "absent", program("plain", 0, 0o644): "absent", dir: "absent", link("circle", "circle"): "absent",
	} {
		got, err := trust.Program(path)
		var refused *trust.ProgramError
		switch {
		case wrong == "" && (err != nil || got != path):
			t.Errorf("%s: %q, %v", path, got, err)
		case wrong == "absent" && !errors.Is(err, exec.ErrNotFound):
			t.Errorf("%s, which is none: %v", path, err)
		case wrong != "" && wrong != "absent" && (!errors.As(err, &refused) || refused.Program != path || refused.Path != wrong):
			t.Errorf("%s: %q, %v; want that %s is refused", path, got, err, wrong)
		}
	}
	ran := filepath.Join(dir, "ran")
	if err := os.WriteFile(theirs, []byte("#!/bin/sh\ntouch "+ran+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	err = trust.Command(t.Context(), theirs).Run()
	if err == nil || !strings.HasPrefix(err.Error(), theirs+" is not run: "+theirs+" belongs to user nobody with mode 0755") {
		t.Errorf("it says %v", err)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("another user's program was run")
	}
}

// The PATH of the caller neither finds a program nor is handed to one.
func TestProgramIgnoresPATH(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "env"), []byte("#!/bin/sh\necho planted\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("NOTIFY_SOCKET", "/run/notify")
	out, err := trust.Command(t.Context(), "env").Output()
	if want := strings.Join(trust.Environment(), "\n") + "\n"; err != nil || string(out) != want {
		t.Errorf("%v: %s; want %s", err, out, want)
	}
	if _, err := trust.Program("./env"); err == nil || errors.Is(err, exec.ErrNotFound) {
		t.Errorf("a path of no certain place: %v", err)
	}
}
