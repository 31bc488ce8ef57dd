package nft

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/lab"
)

// The kernel's answer about many rules is not read to its end when nobody waits
// for it any more.
func TestAnswerEndsWithItsContext(t *testing.T) {
	t.Parallel()
	const many = 5000
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	h, err := lab.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	load := h.Command("nft", "-f", "-")
	load.Stdin = strings.NewReader("table ip t {\nchain c {\n" + strings.Repeat("udp dport 1 drop\n", many) + "}\n}\n")
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	err = h.Do(func() error {
		ask := func(ctx context.Context) (int, error) {
			req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETRULE, unix.NLM_F_DUMP)
			req.AddData(&nl.Nfgenmsg{NfgenFamily: uint8(nftables.TableFamilyIPv4), Version: nl.NFNETLINK_V0})
			answers, err := execute(ctx, req)
			return len(answers), err
		}
		if n, err := ask(t.Context()); err != nil || n != many {
			t.Errorf("%d rules, %v", n, err)
		}
		if n, err := ask(ended); !errors.Is(err, context.Canceled) || n != 0 {
			t.Errorf("after the end: %d rules, %v", n, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
