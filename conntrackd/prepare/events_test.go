package prepare

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBootSettingWaitsForNoPipe(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "etc/sysctl.d")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Symlink("/dev/null", filepath.Join(dir, "10-masked.conf")),
		os.WriteFile(filepath.Join(dir, "20-set.conf"), []byte("net.netfilter.nf_conntrack_events = 2\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	p := &Preparer{root: root}
	const key = "net/netfilter/nf_conntrack_events"
	if name, value, err := p.bootSetting(key); name != "/etc/sysctl.d/20-set.conf" || value != "2" || err != nil {
		t.Errorf("%s sets %s, %v", name, value, err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "30-fifo.conf"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.bootSetting(key); err == nil || !strings.Contains(err.Error(), "30-fifo.conf is not a regular file") {
		t.Errorf("a FIFO: %v", err)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "30-fifo.conf")), os.Symlink("/dev/zero", filepath.Join(dir, "30-zero.conf"))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.bootSetting(key); err == nil {
		t.Error("/dev/zero was read")
	}
}
