package main

import (
	"context"
	"io"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/node"
	"connsync/outlet"
	"connsync/tui/text"
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
func (c *cli) watch(ctx context.Context, w io.Writer, asJSON bool) error {
	statuses := node.NewStatusWatch(ctx, c.Node)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var before health.Health
	last := ""
	for {
		now, settings, err := statuses.Observe(context.WithoutCancel(ctx))
		if err != nil {
			now = health.Health{Verdict: health.VerdictUnknown, Cause: err.Error()}
		}
		if line := text.WatchLine(before, now); line != last {
			if err := c.printWatched(w, before, now, settings, line, asJSON); err != nil {
				return err
			}
			last = line
		}
		before = now
		select {
		case <-ctx.Done():
			return healthError(now.Verdict)
		case <-ticker.C:
		}
	}
}

func (c *cli) printWatched(w io.Writer, before, now health.Health, s conntrackd.Settings, line string, asJSON bool) error {
	if !asJSON {
		return sayLines(w, []string{time.Now().Format(time.TimeOnly) + " " + line})
	}
	record := watchRecord{reported: c.statusOf(now, s)}
	if took := now.Time.Sub(before.Time); text.SameRun(before, now) && took > 0 {
		record.SentRate = float64(now.PacketsSent-before.PacketsSent) / took.Seconds()
		record.RecvRate = float64(now.PacketsRecv-before.PacketsRecv) / took.Seconds()
	}
	return outlet.PrintJSONLine(w, record)
}
