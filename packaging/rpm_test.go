package packaging

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rpm itself installs the package under a root of its own, with a shell for
// the scripts, and removes it again: what is not the package's stays.
func TestRPMInstallsAndErases(t *testing.T) {
	t.Parallel()
	path, root := rpm(t, map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[goarch]), t.TempDir()
	conf := filepath.Join(root, "etc/conntrackd/conntrackd.conf")
	for _, dir := range []string{filepath.Dir(conf), root + "/usr/bin", root + "/var/lib/connsync", root + "/etc/keepalived", root + "/etc/connsync"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, content := range map[string]string{
		conf:                                     "# of the operator\n",
		root + "/var/lib/connsync/prepared.json": "{}\n",
		root + "/etc/connsync/firewall.nft":      "",
		root + "/etc/keepalived/keepalived.conf": "notify \"/usr/sbin/connsync failover\" root\n",
	} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("usr/bin", root+"/bin"); err != nil {
		t.Fatal(err)
	}
	run(t, "cp", "/bin/busybox", root+"/usr/bin/busybox")
	for _, name := range []string{"sh", "grep"} {
		if err := os.Symlink("busybox", filepath.Join(root, "usr/bin", name)); err != nil {
			t.Fatal(err)
		}
	}

	run(t, "rpm", "--root", root, "--nodeps", "--install", path)
	// glibc's, which --nodeps did not ask for: without its loader the kernel starts
	// no position-independent program.
	loader := interpreter(t, root+"/usr/sbin/connsync")
	run(t, "install", "-D", loader, root+loader)
	if got, want := run(t, "chroot", root, "/usr/sbin/connsync", "--version"), "connsync version "+version(t)+"\n"; got != want {
		t.Errorf("connsync --version: %q, want %q", got, want)
	}
	run(t, "rpm", "--root", root, "--verify", "--nodeps", "connsync")
	said := run(t, "rpm", "--root", root, "--nodeps", "--erase", "connsync")
	for _, want := range []string{"connsync unprepare", "connsync firewall --remove", "keepalived's configuration calls"} {
		if !strings.Contains(said, want) {
			t.Errorf("the removal does not say %q: %s", want, said)
		}
	}
	if got := run(t, "sh", "-c", "cat $0; find $1 -name '*connsync*' -not -path '*/rpm/*' | sort", conf, root); got != "# of the operator\n"+root+"/etc/connsync\n"+root+"/var/lib/connsync\n" {
		t.Errorf("after the removal: %q", got)
	}
}

// interpreter returns the path of the dynamic loader that a program names.
func interpreter(t *testing.T, path string) string {
	t.Helper()
	program, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	section := program.Section(".interp")
	if section == nil {
		t.Fatalf("%s names no dynamic loader", path)
	}
	content, err := section.Data()
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimRight(content, "\x00"))
}
