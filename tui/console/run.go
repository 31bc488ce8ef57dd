package console

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
)

// endLimit is how long a program may take to end after it was told to, before
// the terminal is taken from it.
const endLimit = 2 * time.Second

// ErrLineLost says that the program was ended because its line was: a hang-up,
// the end of its input, or a line that took no more output.
var ErrLineLost = errors.New("the terminal line was lost")

// Run runs a Bubble Tea program on the line and leaves the terminal as it was.
// typed is input that was read before (see [Line.FindSize]). On SIGHUP,
// SIGTERM, the end of the input and the end of ctx it asks the program to
// quit; where the program or the line is stuck it returns within two seconds
// all the same, so that the caller can finish what must not be cut short. A
// panic of the model or of one of its commands is a [CrashError].
func (l *Line) Run(ctx context.Context, model tea.Model, typed []byte) (tea.Model, error) {
	old, err := l.makeRaw()
	if err != nil {
		return model, err
	}
	defer l.restore(old)
	var once sync.Once
	lost := make(chan struct{})
	lose := func() { once.Do(func() { close(lost) }) }
	in, err := newInput(l.in, typed, lose)
	if err != nil {
		return model, err
	}
	defer in.close()
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT, syscall.SIGWINCH, syscall.SIGCONT)
	defer signal.Stop(signals)

	painter := newPainter(l, lose)
	if Guarded() { // a process of its own
		painter.first = func() { time.AfterFunc(leanAfter, lean) }
	}
	go painter.run()
	s := &stage{model: model, line: l, painter: painter}
	program := tea.NewProgram(s, l.options(in)...)
	s.quit = program.Quit
	ended := make(chan error, 1)
	go func() {
		_, err := program.Run()
		ended <- err
	}()
	resumed := func() { // after a stop the terminal is as the shell had it
		if _, err := l.makeRaw(); err != nil {
			lose()
		}
		painter.redraw()
	}
	cause, err := watch(ctx, program, ended, lost, signals, resumed)
	painter.close(endLimit / 4)
	if errors.Is(err, errStuck) {
		return model, errors.Join(cause, err) // s belongs to the program, which goes on
	}
	return s.model, errors.Join(cause, err, s.err())
}

// errStuck says that the program did not end when it was told to.
var errStuck = errors.New("the program does not end")

// watch waits until the program ends by itself or is told to; resumed is called
// when the process goes on after a stop. cause is why it
// was told, where that is an error; err is the program's own.
func watch(ctx context.Context, program *tea.Program, ended <-chan error, lost <-chan struct{}, signals <-chan os.Signal, resumed func()) (cause, err error) {
	for told := false; !told; {
		select {
		case err := <-ended:
			return nil, err
		case <-lost:
			cause, told = ErrLineLost, true
		case <-ctx.Done():
			cause, told = hungUp(signals), true
		case s := <-signals:
			switch s {
			case syscall.SIGWINCH:
				go program.Send(tea.WindowSizeMsg{}) // the stage knows the size
			case syscall.SIGCONT:
				resumed()
			case syscall.SIGHUP:
				cause, told = ErrLineLost, true
			default:
				told = true
			}
		}
	}
	go program.Quit()
	select {
	case err := <-ended:
		return cause, err
	case <-time.After(endLimit / 2):
		return cause, errStuck
	}
}

// hungUp tells a hang-up that ended the context too from everything else that
// may have.
func hungUp(signals <-chan os.Signal) error {
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGHUP {
				return ErrLineLost
			}
		case <-time.After(50 * time.Millisecond):
			return nil
		}
	}
}

// options keep Bubble Tea from the terminal: raw mode, size, output and
// signals are the line's.
func (l *Line) options(in io.Reader) []tea.ProgramOption {
	environ := append(append([]string(nil), l.environ...), "TERM=vt100")
	return []tea.ProgramOption{
		tea.WithInput(in),
		tea.WithOutput(io.Discard),
		tea.WithoutRenderer(),
		tea.WithFPS(1),
		tea.WithEnvironment(environ),
		tea.WithColorProfile(l.Profile()),
		tea.WithoutSignalHandler(),
	}
}
