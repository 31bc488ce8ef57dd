package console

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/term"
)

// framesPerSecond is enough for a person and lets the renderer skip frames
// that nobody would see on a slow line.
const framesPerSecond = 20

// endLimit is how long a program may take to end after it was told to, before
// the terminal is taken from it.
const endLimit = 2 * time.Second

// ErrLineLost says that the program was ended because its line was: a hang-up,
// the end of its input, or a line that took no more output.
var ErrLineLost = errors.New("the terminal line was lost")

// Run runs a Bubble Tea program on the line and leaves the terminal as it was.
// typed is input that was read before (see [Line.FindSize]). On SIGHUP,
// SIGTERM and the end of the input it asks the program to quit, and where the
// line is blocked it returns after two seconds all the same, so that the
// caller can finish what must not be cut short.
func (l *Line) Run(ctx context.Context, model tea.Model, typed []byte) (tea.Model, error) {
	old, err := term.GetState(l.in.Fd())
	if err != nil {
		return model, err
	}
	lost := make(chan struct{})
	var once sync.Once
	in := &input{File: l.in, ended: func() { once.Do(func() { close(lost) }) }}
	p := tea.NewProgram(model, l.options(ctx, in)...)

	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	type end struct {
		model tea.Model
		err   error
	}
	ended := make(chan end, 1)
	go func() {
		m, err := p.Run()
		ended <- end{m, err}
	}()
	go replay(p, typed)

	var cause error
	select {
	case e := <-ended:
		l.leave()
		return e.model, e.err
	case <-lost:
		cause = ErrLineLost
	case s := <-signals:
		if s == syscall.SIGHUP {
			cause = ErrLineLost
		}
	}
	go p.Quit()
	select {
	case e := <-ended:
		l.leave()
		return e.model, errors.Join(cause, e.err)
	case <-time.After(endLimit / 2):
		discard(l.out)
	}
	select {
	case e := <-ended:
		return e.model, errors.Join(cause, e.err)
	case <-time.After(endLimit / 2):
	}
	_ = term.Restore(l.in.Fd(), old) // the line may be gone; there is nobody to tell
	return model, ErrLineLost
}

// replay hands keys to the program that were typed before it ran.
func replay(p *tea.Program, typed []byte) {
	var decoder uv.EventDecoder
	for len(typed) > 0 {
		n, event := decoder.Decode(typed)
		if n <= 0 {
			return
		}
		typed = typed[n:]
		if event != nil {
			p.Send(event)
		}
	}
}

func (l *Line) options(ctx context.Context, in *input) []tea.ProgramOption {
	// SSH_TTY keeps Bubble Tea from asking the terminal what it can do. On a
	// serial line TERM=vt100 keeps it to what every console understands.
	environ := append(append([]string(nil), l.environ...), "SSH_TTY=x")
	if l.kind != Rich {
		environ = append(environ, "TERM=vt100")
	}
	return []tea.ProgramOption{
		tea.WithContext(ctx),
		tea.WithInput(in),
		tea.WithOutput(newFilter(l.out, l.kind == Rich, l.pacer())),
		tea.WithEnvironment(environ),
		tea.WithColorProfile(l.Profile()),
		tea.WithFPS(framesPerSecond),
		tea.WithoutSignalHandler(),
	}
}

// leave puts the shell's prompt below the last screen, where there is no
// alternate screen to go back from.
func (l *Line) leave() {
	if l.kind != Rich && writable(l.out, int(endLimit.Milliseconds()/2)) {
		_, _ = l.out.WriteString("\r\n") // a lost line is reported by Run
	}
}
