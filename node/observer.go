package node

import (
	"context"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/events"
	"connsync/conntrackd/health"
	"connsync/conntrackd/mailbox"
	"connsync/conntrackd/service"
	"connsync/netcheck"
	"connsync/netcheck/firewall"
	"connsync/node/asked"
)

// Observer looks at the daemon that runs with the file in force. It is not started.
func (n *Node) Observer(s Saved) *health.Observer {
	socket := s.File.ControlSocket()
	if socket == "" {
		socket = n.ControlSocket()
	}
	client := control.NewClient(socket)
	foreign := s.WhyNoSettings
	if s.Content == nil {
		foreign = "" // a file that is gone is to be restored
	}
	memory := asked.Memory{Dir: n.RuntimeDir}
	return &health.Observer{
		Called: n.Called, Service: n.Service, Config: n.Config, Client: client, Settings: s.Settings, WhyNoSettings: foreign, Links: s.Links, KeepsOut: n.keepsOut(s.Settings),
		Statistics: s.File.StatisticsOnly(), Mode: s.File.Mode(), Listen: heard, Asked: memory.Last, MayAsk: memory.May, Coverage: n.looker(client, s.File),
		LastHeard: func(run service.State) (heard, before time.Time) { return events.LastHeard(n.StateDir, run.MainPID) },
		Host:      func(ctx context.Context) mailbox.Host { return n.toldOf(ctx, s.Settings) },
	}
}

// keepsOut says whether this node's rules keep everybody but the peers from the ports.
func (n *Node) keepsOut(s conntrackd.Settings) func(context.Context) bool {
	return func(ctx context.Context) bool {
		rules, err := firewall.Read(ctx, n.FlowOf(ctx, s))
		return err == nil && rules.KeepsOut()
	}
}

// heard listens to the sync, before this host's firewall.
func heard(ctx context.Context, links []conntrackd.Settings) (<-chan health.Overheard, error) {
	var flows []firewall.Flow
	for _, s := range links {
		flows = append(flows, flowOf(s))
	}
	datagrams, err := netcheck.ListenSync(ctx, flows...)
	if err != nil {
		return nil, err
	}
	packets := make(chan health.Overheard)
	go func() {
		defer close(packets)
		for d := range datagrams {
			p := health.Overheard{
				Own: d.Own, Refused: d.Refused, From: d.From, To: d.To, SourcePort: d.SourcePort, Port: d.Port,
				Device: d.Device, Hardware: d.Hardware, Payload: d.Payload,
			}
			select {
			case packets <- p:
			case <-ctx.Done():
			}
		}
	}()
	return packets, nil
}
