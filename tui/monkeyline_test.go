package tui

import (
	"context"
	"errors"
	"io"
	"math/rand"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/health"
	"connsync/conntrackd/step"
)

// monkeyAnswers are what the line mode asks for, and what it does not.
var monkeyAnswers = []string{
	"", "", "", "y", "y", "yes", "n", "no", "Y", " y ", "e", "4", "1", "eth1", "10.0.0.101/24", "10.0.0.102/24", "3780", "256K", ".", "<", "?", "??", "d", "h",
	"c", "q", "s", "m", "r", "f", "t", "a", "agree", "enable", "disable", "later", "never", "0", "-1", "99999999999999999999", "yy\b", "no\x15yes", "yes\x15no",
	"connsync apply --interface eth1 --current-ip 10.0.0.101/24 --peer-ip 10.0.0.102/24 --port 3780 --enable", "connsync apply \\",
	"\x1b[200~10.0.0.102/24", "\x1b[200~y\x1b[201~", "y\x1b[201~", "\x1b[[A", "\x1bOp", "\x1b[A", "\x03", "\x04", "\x00y", "\x13y\x11",
	"\xff\xfe", "\xe6\x97", "日本", "\u202ey", strings.Repeat("y", 2000), strings.Repeat("\x7f", 50), strings.Repeat("9", 100),
}

// lineMonkey answers the line mode at random, a line when one is read, and ends
// it with Ctrl+C.
type lineMonkey struct {
	*rand.Rand
	paper   *sheet
	left    int
	cancel  context.CancelFunc
	stays   chan struct{} // the line is there until this is closed
	typed   []string
	applied int
	wrong   bool
}

func (k *lineMonkey) Read(p []byte) (int, error) {
	if k.left--; k.left < 0 {
		k.cancel()
		<-k.stays
		return 0, io.EOF
	}
	if k.Intn(5) == 0 {
		time.Sleep(time.Duration(k.Intn(2000)) * time.Millisecond)
	}
	answer := monkeyAnswers[k.Intn(len(monkeyAnswers))]
	k.typed = append(k.typed, answer)
	_, _ = k.paper.Write([]byte("\n"))
	return copy(p, answer+"\n"), nil
}

// Apply looks whether the last question was whether to apply, and the answer to
// it yes.
func (k *lineMonkey) Apply(ctx context.Context, r apply.Review, each func(step.Step)) apply.Outcome {
	k.applied++
	lines := strings.Split(strings.TrimSuffix(k.paper.String(), "\n"), "\n")
	d := newLineReader(strings.NewReader(k.typed[len(k.typed)-1] + "\n"))
	answer, _ := d.next(context.Background())
	d.close()
	if !strings.HasPrefix(lines[len(lines)-1], "Apply? [y/N") || !oneOf(answer.text, "y", "yes") || answer.strange || answer.long {
		k.wrong = true
	}
	f := fakeApplier{steps: savedSteps(), pace: 50 * time.Millisecond, outcome: apply.Outcome{Changed: true, Verdict: health.VerdictTwoWay}}
	return f.Apply(ctx, r, each)
}

func (k *lineMonkey) run(t *testing.T, seed int64) {
	k.paper = &sheet{}
	screens := &monkey{Rand: k.Rand}
	synctest.Test(t, func(t *testing.T) {
		k.stays = make(chan struct{})
		o := LineOptions{Options: screens.options(), In: k, Out: k.paper, Width: 79}
		o.Effects.Applier = k
		if o.Context, k.cancel = context.WithCancel(t.Context()); k.Intn(2) == 0 {
			o.Saved = conntrackd.Defaults()
		}
		ended := make(chan error, 1)
		go func() { ended <- TalkLines(o) }()
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, ErrUnfinished) {
				t.Errorf("seed %d: the line mode ended with %v", seed, err)
			}
		case <-time.After(24 * time.Hour):
			t.Errorf("seed %d: Ctrl+C does not end it after %q", seed, k.typed)
		}
		k.cancel()
		close(k.stays)
	})
	if k.wrong {
		t.Errorf("seed %d: a save that nobody agreed to after %q:\n%s", seed, k.typed, k.paper)
	}
	checkPaper(t, k.paper.String())
}

// TestLineMonkey is TestMonkey for the line mode.
func TestLineMonkey(t *testing.T) {
	t.Parallel()
	dialogues, typed, applied := 0, 0, 0
	for began := time.Now(); typed < *monkeyKeys/2 && !t.Failed(); dialogues++ {
		seed := *monkeySeed + int64(dialogues)
		k := &lineMonkey{Rand: rand.New(rand.NewSource(seed))}
		k.left = 5 + k.Intn(80)
		k.run(t, seed)
		typed, applied = typed+len(k.typed), applied+k.applied
		if typed >= *monkeyKeys/2 {
			t.Logf("%d lines in %d dialogues, %d saves agreed to, %.1f s", typed, dialogues+1, applied, time.Since(began).Seconds())
		}
	}
}
