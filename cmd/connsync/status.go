package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"connsync/conntrackd"
	"connsync/tui"
)

func newStatus(s streams, g *globals) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say whether the two nodes sync, in one sentence",
		Long: `status watches the daemon and the sync link for a moment and says whether the
nodes sync. "In sync" is said only when both directions were seen.

Exit status: 0 in sync both ways, 1 degraded, 2 stopped or could not tell, 64
wrong usage.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := openNode(cmd.Context(), *g)
			if err != nil {
				return err
			}
			health, err := n.observe(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(s.out, statusOf(health))
			} else {
				for _, line := range tui.StatusText(health) {
					fmt.Fprintln(s.out, line)
				}
			}
			if err != nil {
				return err
			}
			return healthError(health.Verdict)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func healthError(v conntrackd.Verdict) error {
	switch v {
	case conntrackd.VerdictTwoWay:
		return nil
	case conntrackd.VerdictStopped, conntrackd.VerdictUnknown:
		return &exitError{exitUnknown, nil}
	}
	return &exitError{exitRefused, nil}
}

// watchLimit is how long status looks before it gives its verdict; in sync is
// seen within two seconds.
const watchLimit = 5 * time.Second

func (n *node) observe(ctx context.Context) (conntrackd.Health, error) {
	saved, err := n.load(ctx)
	if err != nil {
		return conntrackd.Health{}, err
	}
	o := n.observer(saved)
	_ = o.Start(ctx) // without an ear the verdict says less, and says so
	return o.Watch(ctx, watchLimit, nil), nil
}

// reported is what status --json prints.
type reported struct {
	Verdict       conntrackd.Verdict `json:"verdict"`
	Cause         string             `json:"cause"`
	Next          string             `json:"next"`
	Device        string             `json:"device"`
	Link          string             `json:"link"`
	PacketsSent   uint64             `json:"packets_sent"`
	PacketsRecv   uint64             `json:"packets_received"`
	Lost          uint64             `json:"lost"`
	Malformed     uint64             `json:"malformed"`
	Overruns      uint64             `json:"netlink_overruns"`
	Internal      uint64             `json:"states_here"`
	External      uint64             `json:"states_from_peer"`
	ResendQueue   uint64             `json:"resend_queue"`
	Bound         bool               `json:"bound"`
	Address       string             `json:"address"`
	SendBuffer    int                `json:"send_buffer_in_force"`
	ReceiveBuffer int                `json:"receive_buffer_in_force"`
}

func statusOf(h conntrackd.Health) reported {
	return reported{
		Verdict: h.Verdict, Cause: h.Cause, Next: h.Next, Device: h.Device, Link: h.Link,
		PacketsSent: h.PacketsSent, PacketsRecv: h.PacketsRecv, Lost: h.Lost, Malformed: h.Malformed, Overruns: h.Overruns,
		Internal: h.Internal, External: h.External, ResendQueue: h.ResendQueue,
		Bound: h.Sockets.Bound, Address: h.Sockets.Address, SendBuffer: h.Sockets.SendBuffer, ReceiveBuffer: h.Sockets.ReceiveBuffer,
	}
}
