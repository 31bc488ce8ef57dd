package firewall

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"connsync/netcheck/check"
)

// A file is tried with the interfaces that it names by number, or that a file does which
// it includes, also on a host that has too many to imitate all of them.
func TestTryFileAmongManyInterfaces(t *testing.T) {
	const text = "table inet f {\nchain c {\ntype filter hook input priority 0;\niif \"v7\" accept\n}\n}\n"
	dir := t.TempDir()
	path, outer := filepath.Join(dir, "nftables.conf"), filepath.Join(dir, "outer.conf")
	including := fmt.Sprintf("include %q\n", path)
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.WriteFile(outer, []byte(including), 0o600)); err != nil {
		t.Fatal(err)
	}
	f := Flow{Interface: "v0", Current: netip.MustParsePrefix("10.9.0.1/24"), Peer: netip.MustParsePrefix("10.9.0.2/24"), Port: 3780}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		for i := range manyLinks {
			if _, err := imitation(netlink.LinkAttrs{Name: fmt.Sprint("v", i), TxQLen: -1}); err != nil {
				return err
			}
		}
		if _, err := TryFile(t.Context(), f, path, text); err != nil {
			return err
		}
		e, err := TryFile(t.Context(), f, outer, including)
		if err == nil && e.Finding.Status != check.Passed {
			t.Errorf("what is included: %v", e.Finding)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
