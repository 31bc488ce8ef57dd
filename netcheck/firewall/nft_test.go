package firewall

import (
	"connsync/lab"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// An nft that was ended with its caller's time does not look like one that
// refused the rules.
func TestRunNftSaysThatItsTimeEnded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := lab.Covered("#!/bin/sh\nexec sleep 60\n", func() error { return RunNft(ctx, "list ruleset") }, "/usr/sbin/nft")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// The kernel's answer about many rules is not read to its end when nobody waits
// for it any more.
func TestAnswerEndsWithItsContext(t *testing.T) {
	t.Parallel()
	const many = 5000
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		script := "table ip t {\nchain c {\n" + strings.Repeat("udp dport 1 drop\n", many) + "}\n}\n"
		if err := RunNft(t.Context(), script); err != nil {
			return err
		}
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
