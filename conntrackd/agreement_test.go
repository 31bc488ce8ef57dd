package conntrackd

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// daemonSays lets the real daemon read src in client mode, with a control
// socket path where nothing listens, and returns its complaints. accepted is
// false where it refused the file.
func daemonSays(t *testing.T, src []byte) (accepted bool, complaints []string) {
	t.Helper()
	binary, err := exec.LookPath("conntrackd")
	if err != nil {
		t.Fatalf("this test asks the real daemon: %v (apt-get install conntrackd)", err)
	}
	path := filepath.Join(t.TempDir(), "candidate.conf")
	if err := os.WriteFile(path, src, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(binary, "-C", path, "-s")
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run() // its status is 1 either way
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSpace(line)
		if i := strings.Index(line, ") ["); i >= 0 {
			line = line[i+2:]
		}
		switch {
		case strings.Contains(line, "can't connect: is conntrackd running?"):
			accepted = true
		case strings.Contains(line, "is an invalid interface"):
			// true of this host, and nothing about the file
		case line != "":
			complaints = append(complaints, line)
		}
	}
	return accepted, complaints
}
