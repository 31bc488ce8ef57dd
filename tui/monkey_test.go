package tui

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"

	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/conntrackd/step"
	"connsync/tui/console/keys"
)

var (
	monkeyKeys = flag.Int("keys", 10000, "how many keys the monkey types on the screens, and half as many lines in line mode")
	monkeySeed = flag.Int64("seed", 1, "where the monkey begins")
)

// monkeyTerminal is the input of a program as the console makes it of chunks.
type monkeyTerminal struct {
	keys   keys.Decoder
	chunks chan string
}

func (t *monkeyTerminal) Read(p []byte) (int, error) {
	for {
		if n := t.keys.Take(p); n > 0 {
			return n, nil
		}
		var late <-chan time.Time
		if wait := t.keys.Wait(); wait > 0 {
			late = time.After(wait)
		}
		select {
		case chunk, open := <-t.chunks:
			if !open {
				return 0, io.EOF
			}
			t.keys.Feed([]byte(chunk))
		case <-late:
			t.keys.Expire()
		}
	}
}

// watchedModel looks at what happens to the root model: what the operator
// agrees to, what panics, and what would be shown.
type watchedModel struct {
	m          *Model
	agreed     atomic.Int32 // how often Apply was chosen on a review that is seen, less the saves
	interrupts int
	quit       atomic.Bool // the program has ended, and takes what still comes
	mu         sync.Mutex
	wrong      []string
}

func (w *watchedModel) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func (w *watchedModel) caught() {
	if cause := recover(); cause != nil {
		w.fail("panic: %v\n%s", cause, debug.Stack())
	}
}

// quits keeps Bubble Tea running after the model has quit: what is still in its
// channel would block its reader for ever.
func (w *watchedModel) quits(_ tea.Model, msg tea.Msg) tea.Msg {
	if _, ok := msg.(tea.QuitMsg); ok {
		w.quit.Store(true)
		return nil
	}
	return msg
}

func (w *watchedModel) Init() tea.Cmd { return w.m.Init() }

func (w *watchedModel) Update(msg tea.Msg) (model tea.Model, cmd tea.Cmd) {
	model = w
	defer w.caught()
	if w.quit.Load() {
		return w, nil
	}
	if k, ok := msg.(tea.KeyPressMsg); ok {
		if k.String() == "ctrl+c" {
			w.interrupts++
		}
		r, ok := w.m.top().(*review)
		if ok && w.m.dialog == nil && k.String() == "enter" && r.grace.over && r.state == reviewReady && r.focus == itemApply && r.blocked() == "" {
			w.agreed.Add(1)
		}
	}
	_, cmd = w.m.Update(msg)
	return w, cmd
}

func (w *watchedModel) View() (v tea.View) {
	defer w.caught()
	if v = w.m.View(); w.quit.Load() {
		return v
	}
	if i := strings.IndexFunc(v.Content, func(r rune) bool { return r < ' ' && r != '\n' || r > '~' }); i >= 0 {
		w.fail("the screen holds %q", v.Content[i:min(len(v.Content), i+20)])
	}
	return v
}

// monkey types on one program.
type monkey struct {
	*rand.Rand
	seed    int64
	watched *watchedModel
	program *tea.Program
	in      *monkeyTerminal
	typed   []string
	applied atomic.Int32
}

// Apply is the monkey's own applier: it looks whether the operator agreed.
func (k *monkey) Apply(ctx context.Context, r apply.Review, each func(step.Step)) apply.Outcome {
	k.applied.Add(1)
	if k.watched.agreed.Add(-1) < 0 {
		k.watched.fail("a save that nobody agreed to")
	}
	f := fakeApplier{steps: savedSteps(), pace: 50 * time.Millisecond, outcome: apply.Outcome{Changed: true, Verdict: health.VerdictTwoWay}}
	return f.Apply(ctx, r, each)
}

// run types n keys on a new program, leaves it with Ctrl+C, and returns what
// went wrong.
func (k *monkey) run(t *testing.T, n int) {
	synctest.Test(t, func(t *testing.T) {
		k.watched = &watchedModel{m: New(k.options())}
		k.in = &monkeyTerminal{chunks: make(chan string)}
		k.program = tea.NewProgram(k.watched, tea.WithInput(k.in), tea.WithOutput(io.Discard), tea.WithoutRenderer(), tea.WithFPS(1),
			tea.WithoutSignalHandler(), tea.WithEnvironment([]string{"TERM=vt100"}), tea.WithFilter(k.watched.quits))
		done := make(chan error, 1)
		go func() {
			_, err := k.program.Run()
			done <- err
		}()
		synctest.Wait()
		for i := 0; i < n && !k.over(); i++ {
			k.act()
		}
		for i := 0; i < 20 && !k.over(); i++ {
			k.interrupt()
			time.Sleep(3 * time.Second)
			synctest.Wait()
		}
		if !k.over() {
			k.watched.fail("Ctrl+C does not end it:\n%s", k.watched.m.View().Content)
		}
		close(k.in.chunks)
		synctest.Wait()
		k.watched.quit.Store(true)
		k.watched.m.quit()
		k.program.Kill()
		if err := <-done; !errors.Is(err, tea.ErrProgramKilled) {
			k.watched.fail("the program ended with %v", err)
		}
		time.Sleep(24 * time.Hour) // what was started has to end
	})
	for _, wrong := range k.watched.wrong {
		t.Errorf("seed %d: %s\nafter %q", k.seed, wrong, k.typed[max(0, len(k.typed)-40):])
	}
}

// over says that the program has ended, or gone wrong.
func (k *monkey) over() bool { return k.watched.quit.Load() || len(k.watched.wrong) > 0 }

// send types a chunk, and lets it have its effect.
func (k *monkey) send(chunk string) {
	if k.over() || chunk == "" {
		return
	}
	k.typed = append(k.typed, chunk[:min(len(chunk), 100)])
	k.in.chunks <- chunk
	synctest.Wait()
}

// interrupt types Ctrl+C, which has to arrive at once whatever came before.
func (k *monkey) interrupt() {
	before := k.watched.interrupts
	if k.send("\x03"); k.watched.interrupts == before {
		k.watched.fail("Ctrl+C does not arrive")
	}
}

// TestMonkey types at random on the form and on the setup, in real programs
// with fake effects, and looks for a panic, for a screen that Ctrl+C does not
// leave, and for a save that nobody agreed to.
func TestMonkey(t *testing.T) {
	t.Parallel()
	programs, typed, applied := 0, 0, 0
	for began := time.Now(); typed < *monkeyKeys && !t.Failed(); programs++ {
		seed := *monkeySeed + int64(programs)
		k := &monkey{Rand: rand.New(rand.NewSource(seed)), seed: seed}
		k.run(t, 20+k.Intn(300))
		typed, applied = typed+len(k.typed), applied+int(k.applied.Load())
		if typed >= *monkeyKeys {
			t.Logf("%d keys in %d programs, %d saves agreed to, %.1f s", typed, programs+1, applied, time.Since(began).Seconds())
		}
	}
}
