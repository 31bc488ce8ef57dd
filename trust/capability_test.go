package trust

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Why something is denied depends on what this process may do, and nobody who is root is
// told to become root.
func TestDenied(t *testing.T) {
	for _, test := range []struct {
		privileges
		cause, remedy string
	}{
		{privileges{}, "is only for root with CAP_SYS_PTRACE", "run connsync as root"},
		{privileges{namespaced: true, capable: true}, "is only for root", "run connsync as root"},
		{privileges{root: true, namespaced: true, capable: true}, "is only for root of the host", "run connsync on the host, outside the user namespace"},
		{privileges{root: true}, "is only for root with CAP_SYS_PTRACE, which was taken from this process", "start connsync with CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE, "},
		{privileges{root: true, capable: true}, "is denied to root with CAP_SYS_PTRACE, as by a security module", "journalctl -k -g denied"},
	} {
		if cause, remedy := test.denied(Ptrace); !strings.HasPrefix(cause, test.cause) || !strings.HasPrefix(remedy, test.remedy) {
			t.Errorf("%+v: %s: %s", test.privileges, cause, remedy)
		}
	}
	for c, name := range capabilityNames {
		if p := ownPrivileges(c); p.root != (os.Geteuid() == 0) {
			t.Errorf("%s: privileges %+v of user %d", name, p, os.Geteuid())
		}
	}
}

// The user map of the host has every user as itself; that of a namespace has not.
func TestWholeUserMap(t *testing.T) {
	for content, want := range map[string]bool{
		"         0          0 4294967295\n": true, "0 1000 1\n": false, "0 100000 65536\n": false, "0 0 1\n1 1 4294967294\n": false,
	} {
		path := filepath.Join(t.TempDir(), "uid_map")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := wholeUserMap(path); got != want {
			t.Errorf("%q is the whole: %t, want %t", content, got, want)
		}
	}
	if !wholeUserMap(filepath.Join(t.TempDir(), "none")) {
		t.Error("a map that is not there is that of a namespace")
	}
}
