package service

import "context"

// What the tests of this package that need a pair, and so stand outside it, see
// of its inside.
var (
	Processes   = processes
	KillProcess = killProcess
)

// DirectStopTimeout is how long a daemon may take to end after SIGTERM.
const DirectStopTimeout = directStopTimeout

// Serves waits until the daemon answers.
func (d *Direct) Serves(ctx context.Context) error { return d.serves(ctx) }

// StartByScript starts the daemon by a script that says so and starts nothing.
func (d *Direct) StartByScript(ctx context.Context) error {
	s := newScript(d, "script")
	s.run = func(context.Context, ...string) ([]byte, error) { return nil, nil }
	return s.start(ctx, "start")
}

// PID is the process's number.
func (p process) PID() int { return p.pid }
