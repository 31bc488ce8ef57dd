package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	tea "charm.land/bubbletea/v2"

	"connsync/lab"
)

// programDir holds what the tests build; it goes with the test process.
var programDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "connsync-test-") })

// program builds the program as it is shipped, once: static, so that it runs
// in every node and machine.
var program = sync.OnceValues(func() (string, error) {
	dir, err := programDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "connsync")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	// For those who are not root too.
	return path, os.Chmod(dir, 0o755)
})

// The tests mostly wait for daemons.
func TestMain(m *testing.M) {
	if os.Getenv(fragileEnv) != "" {
		os.Exit(run(os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(),
			stage: func(model tea.Model) tea.Model { return fragile{model} }}))
	}
	lab.SideBySide(6)
	status := m.Run()
	if dir, err := programDir(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(status)
}

func build(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
