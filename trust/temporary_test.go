package trust_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"connsync/trust"
)

// A directory for temporary files is used where nobody else could exchange what is in it.
func TestTemporaryDirectory(t *testing.T) {
	const nobody = 65534
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.Mkdir(at("own"), 0o700), os.Mkdir(at("his"), 0o755), os.Mkdir(at("his/own"), 0o755), os.Mkdir(at("open"), 0o700), os.Mkdir(at("sticky"), 0o700),
		os.Chown(at("his"), nobody, nobody), os.Chmod(at("open"), 0o777), os.Chmod(at("sticky"), 0o777|os.ModeSticky), os.Symlink("his", at("link"))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"own": at("own"), "sticky": at("sticky"), "his": "/tmp", "his/own": "/tmp", "link": "/tmp", "open": "/tmp", "none": "/tmp",
	} {
		t.Setenv("TMPDIR", at(name))
		made, err := trust.TemporaryDirectory("connsync-")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := os.Remove(made); err != nil {
			t.Error(err)
		}
		if got := filepath.Dir(made); got != want {
			t.Errorf("%s: made in %s", name, got)
		}
	}
}
