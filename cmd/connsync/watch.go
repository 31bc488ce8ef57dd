package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"connsync/conntrackd"
	"connsync/tui"
)

// watchEvery is the time between two looks of status --watch.
const watchEvery = time.Second

// watchRecord is one line of status --watch --json.
type watchRecord struct {
	reported
	SentRate float64 `json:"sent_per_second"`
	RecvRate float64 `json:"received_per_second"`
}

// watch prints a line for the first look and for each that differs, until ctx
// ends, and then returns what the last verdict amounts to.
func (n *cli) watch(ctx context.Context, w io.Writer, asJSON bool) error {
	l := &statusWatch{ctx: ctx, node: n.node}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var before conntrackd.Health
	last := ""
	for {
		health, settings, err := l.observe(context.WithoutCancel(ctx))
		if err != nil {
			health = conntrackd.Health{Verdict: conntrackd.VerdictUnknown, Cause: err.Error()}
		}
		if line := watchLine(before, health); line != last {
			if err := printWatched(w, before, health, settings, line, asJSON); err != nil {
				return err
			}
			last = line
		}
		before = health
		select {
		case <-ctx.Done():
			return healthError(health.Verdict)
		case <-ticker.C:
		}
	}
}

func printWatched(w io.Writer, before, now conntrackd.Health, s conntrackd.Settings, line string, asJSON bool) error {
	if !asJSON {
		return sayLines(w, []string{time.Now().Format(time.TimeOnly) + " " + line})
	}
	record := watchRecord{reported: statusOf(now, s)}
	if took := now.Time.Sub(before.Time); sameRun(before, now) && took > 0 {
		record.SentRate = float64(now.PacketsSent-before.PacketsSent) / took.Seconds()
		record.RecvRate = float64(now.PacketsRecv-before.PacketsRecv) / took.Seconds()
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(record)
}

// sameRun says that two looks were at the same run of the daemon.
func sameRun(before, now conntrackd.Health) bool {
	return !before.Time.IsZero() && before.Service.MainPID == now.Service.MainPID &&
		now.PacketsSent >= before.PacketsSent && now.PacketsRecv >= before.PacketsRecv
}

// watchLine is what is worth a line, without its time: an idle pair that is in
// sync says it once.
func watchLine(before, now conntrackd.Health) string {
	text := fmt.Sprintf("%-14s", now.Verdict)
	if !now.Time.IsZero() {
		sent, received := "-", "-"
		if sameRun(before, now) {
			took := now.Time.Sub(before.Time)
			sent, received = rateText(before.PacketsSent, now.PacketsSent, took), rateText(before.PacketsRecv, now.PacketsRecv, took)
		}
		text += fmt.Sprintf(" sent %s/s received %s/s states %d/%d lost %d overruns %d", sent, received, now.Internal, now.External+now.Injected, now.Lost, now.Overruns)
	}
	if now.Verdict != conntrackd.VerdictTwoWay && now.Cause != "" {
		text += ": " + tui.Clean(now.Cause)
	}
	return text
}
