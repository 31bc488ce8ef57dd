package tui

import (
	"context"
	"time"

	"connsync/conntrackd/apply"
	"connsync/conntrackd/control"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/events"
	"connsync/conntrackd/failover"
	"connsync/conntrackd/health"
	"connsync/conntrackd/mailbox"
	"connsync/conntrackd/service"
)

// fakeObserver answers with the reading for the time since the first look.
type fakeObserver struct {
	at    func(after time.Duration) (health.Health, error)
	first time.Time
	looks int
	block bool
}

func (f *fakeObserver) Observe(ctx context.Context) (health.Health, error) {
	f.looks++
	if f.block {
		return health.Health{}, untilDone(ctx)
	}
	if f.first.IsZero() {
		f.first = time.Now()
	}
	if f.at == nil {
		return health.Health{Verdict: health.VerdictUnknown}, nil
	}
	return f.at(time.Since(f.first))
}

// idle is a pair without traffic: one message a second each way.
func idle(verdict health.Verdict, cause, next string) func(time.Duration) (health.Health, error) {
	return func(after time.Duration) (health.Health, error) {
		n := uint64(after / time.Second)
		h := health.Health{
			Verdict: verdict, Cause: cause, Next: next,
			Service: service.State{Present: true, Active: true, Enabled: true, MainPID: 4711, Since: time.Date(1999, 12, 31, 23, 50, 5, 0, time.Local)},
			Sockets: health.Sockets{Bound: true, Address: "10.0.0.101:3780", ReceiveBuffer: 131072, SendBuffer: 131072},
			Counters: control.Counters{
				Time: time.Now(), Direct: true, Device: "eth1", Link: "RUNNING", Uptime: 124 * time.Minute,
				PacketsSent: 7440 + n, PacketsRecv: 7436 + n, BytesSent: 119040 + 16*n, BytesRecv: 118976 + 16*n,
				Internal: 212, Injected: 198, ResendQueue: 1,
			},
			Heard: time.Now().Add(-400 * time.Millisecond), Rates: &health.Rates{SentPackets: 1, RecvPackets: 1, SentBytes: 16, RecvBytes: 16},
			Coverage: &coverage.Coverage{Counts: coverage.Counts{Survive: 212}, Peers: 22},
		}
		if verdict.BothWays() {
			h.Holding = health.Holding{Told: &mailbox.Told{Age: 3 * time.Second}, OnPeer: 212, Of: 212}
		}
		return h, nil
	}
}

// busy is a pair under traffic that comes and goes.
func busy(after time.Duration) (health.Health, error) {
	h, err := idle(health.VerdictTwoWay, "messages of the peer arrive and it confirms this node's", "")(after)
	sent := uint64(0)
	for i := range int(after / time.Second) {
		sent += uint64(20 * (i / 5 % 7))
	}
	h.PacketsSent += sent
	h.BytesSent += 96 * sent
	h.PacketsRecv += sent / 10
	h.Internal += sent / 3
	h.Rates = &health.Rates{SentPackets: 1 + float64(20*(int(after/time.Second)/5%7)), RecvPackets: 3, SentBytes: 9600, RecvBytes: 960}
	h.Coverage.Survive, h.Coverage.Young = 2540, 2
	h.Holding.OnPeer, h.Holding.Of = 2540, 2540
	return h, err
}

// fakeEvents are three, the newest of which the looks did not make.
type fakeEvents struct{ reads int }

func (f *fakeEvents) Events(context.Context) events.Log {
	f.reads++
	at := time.Date(1999, 12, 31, 23, 50, 10, 0, time.Local)
	return events.Log{Since: at.Add(-24 * time.Hour), Events: []events.Event{
		{Time: at.Add(12 * time.Minute), Kind: events.KindVerdict, Verdict: health.VerdictTwoWay, Before: health.VerdictSilent},
		{Time: at.Add(11 * time.Minute), Kind: events.KindVerdict, Verdict: health.VerdictSilent, Before: health.VerdictTwoWay, Cause: "10.0.0.102 has stopped sending"},
		{Time: at.Add(5 * time.Second), Kind: events.KindDaemon, Turn: service.TurnStarted},
		{Time: at, Kind: events.KindSave, Save: apply.Entry{Number: 7, By: apply.Actor{User: "root", Terminal: "/dev/ttyS0"}, Outcome: apply.EntrySaved, Before: "a", After: "b"}},
		{Time: at.Add(-time.Hour), Kind: events.KindFailover, Role: failover.RolePrimary, Cause: "Primary: 20 connections"},
	}}
}

// toStatus opens the status and lets time pass.
func toStatus(t time.Duration, keys ...string) func(*driver) {
	return func(d *driver) {
		d.follow(statusWanted{})
		d.wait(t)
		d.press(keys...)
	}
}
