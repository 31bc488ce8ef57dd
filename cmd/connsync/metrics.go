package main

import (
	"context"
	"errors"
	"io"
	"time"

	"connsync/cmd/connsync/metrics"
	"connsync/conntrackd/health"
)

// printMetrics prints the metrics, also when the state is unknown: a file that is not
// written again would keep old values. It tells the peer what is here and records a
// change of verdict; an interrupted save is left to the next command of a person.
func printMetrics(ctx context.Context, s streams, g globals, file string) error {
	c, err := findCLI(ctx, g)
	if err != nil {
		return err
	}
	m, verdict := c.measure(ctx)
	if ctx.Err() != nil {
		return ctx.Err() // cut short, it has nothing to say
	}
	if err := printTo(s.out, file, func(w io.Writer) error { return metrics.Write(w, m.Metrics()) }); err != nil {
		return err
	}
	return verdict
}

// measure looks at the node; the error says how status would end.
func (c *cli) measure(ctx context.Context) (metrics.Measured, error) {
	m := metrics.Measured{Version: version(), Health: health.Health{Verdict: health.VerdictUnknown}}
	err := c.measureInto(ctx, &m)
	m.Time = time.Now()
	return m, err
}

func (c *cli) measureInto(ctx context.Context, m *metrics.Measured) error {
	if c.Unmanaged() {
		return errUnmanaged()
	}
	saved, err := c.Load(ctx)
	if err != nil {
		return err
	}
	m.Settings, m.Configured, m.Mode = saved.Settings, saved.WhyNoSettings == "" && saved.Content != nil, saved.File.Mode()
	m.OutOfPlace = c.OutOfPlace(saved) != ""
	o := c.Observer(saved)
	_ = o.Start(ctx) // without it the verdict says less
	m.Health = o.Settle(ctx)
	m.Seen = saved.StateErr == nil
	_ = c.RecordVerdict(m.Health) // what is not on record, nobody has seen
	if !m.Health.Time.IsZero() {
		_ = o.Tell(ctx) // a peer that is not told says so
	}
	if err := healthError(m.Health.Verdict); err != nil {
		return err
	}
	if m.OutOfPlace || c.RefreshReport(saved.Settings).Stopped() {
		return &exitError{exitRefused, nil} // as of status
	}
	return nil
}

func errUnmanaged() error {
	return &exitError{exitUnknown, errors.New("--service none does not look at the service, so its state is unknown; use --service auto or direct")}
}
