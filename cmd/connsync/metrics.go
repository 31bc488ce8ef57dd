package main

import (
	"context"
	"errors"
	"io"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
)

// measured is what the metrics are made of.
type measured struct {
	time       time.Time
	health     health.Health
	settings   conntrackd.Settings
	configured bool // there are settings
	mode       string
	seen       bool // the service was looked at
	outOfPlace bool
}

// metrics prints the metrics, also when the state is unknown: a file that is not
// written again would keep old values. It tells the peer what is here and records a
// change of verdict; an interrupted save is left to the next command of a person.
func metrics(ctx context.Context, s streams, g globals, file string) error {
	c, err := findCLI(ctx, g)
	if err != nil {
		return err
	}
	m, verdict := c.measure(ctx)
	if ctx.Err() != nil {
		return ctx.Err() // cut short, it has nothing to say
	}
	if err := printTo(s.out, file, func(w io.Writer) error { return writeMetrics(w, m.metrics()) }); err != nil {
		return err
	}
	return verdict
}

// measure looks at the node; the error says how status would end.
func (c *cli) measure(ctx context.Context) (measured, error) {
	m := measured{health: health.Health{Verdict: health.VerdictUnknown}}
	err := c.measureInto(ctx, &m)
	m.time = time.Now()
	return m, err
}

func (c *cli) measureInto(ctx context.Context, m *measured) error {
	if c.Unmanaged() {
		return errUnmanaged()
	}
	saved, err := c.Load(ctx)
	if err != nil {
		return err
	}
	m.settings, m.configured, m.mode = saved.Settings, saved.WhyNoSettings == "" && saved.Content != nil, saved.File.Mode()
	m.outOfPlace = c.OutOfPlace(saved) != ""
	o := c.Observer(saved)
	_ = o.Start(ctx) // without it the verdict says less
	m.health = o.Settle(ctx)
	m.seen = saved.StateErr == nil
	_ = c.RecordVerdict(m.health) // what is not on record, nobody has seen
	if !m.health.Time.IsZero() {
		_ = o.Tell(ctx) // a peer that is not told says so
	}
	if err := healthError(m.health.Verdict); err != nil {
		return err
	}
	if m.outOfPlace {
		return &exitError{exitRefused, nil} // both ways, where there should be none
	}
	return nil
}

func errUnmanaged() error {
	return &exitError{exitUnknown, errors.New("--service none does not look at the service, so its state is unknown; use --service auto or direct")}
}
