package tui

import (
	"fmt"
	"time"

	"charm.land/bubbles/v2/spinner"
	tea "charm.land/bubbletea/v2"
)

// work shows that something goes on: the seconds that it takes, and beside them a
// spinner where the terminal is rich. The zero value is at rest.
type work struct {
	run     *run
	since   time.Time
	seconds int
	frames  []string
	spin    spinner.Model
}

// workTicked tells that a second of the work is over.
type workTicked struct{ run *run }

// start begins to count from zero.
func (w *work) start(g Glyphs) tea.Cmd {
	w.run, w.since, w.seconds, w.frames = newRun(w.run), time.Now(), 0, g.Spinner
	if len(w.frames) == 0 {
		return w.tick()
	}
	w.spin = spinner.New(spinner.WithSpinner(spinner.Spinner{Frames: w.frames, FPS: spinnerPace}))
	return tea.Batch(w.tick(), w.spin.Tick)
}

// spinnerPace is the time of one picture of the spinner.
const spinnerPace = 125 * time.Millisecond

// again counts from zero for the next piece of the same work.
func (w *work) again() { w.since, w.seconds = time.Now(), 0 }

// stop ends the counting; what is still under way is dropped.
func (w *work) stop() { w.run, w.frames = newRun(w.run), nil }

func (w *work) tick() tea.Cmd {
	current := w.run
	return tea.Tick(time.Second, func(time.Time) tea.Msg { return workTicked{current} })
}

// update takes what is the work's own.
func (w *work) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case workTicked:
		if msg.run == w.run {
			w.seconds = int(time.Since(w.since) / time.Second)
			return w.tick()
		}
	case spinner.TickMsg:
		if len(w.frames) > 0 {
			var cmd tea.Cmd
			w.spin, cmd = w.spin.Update(msg)
			return cmd
		}
	}
	return nil
}

// took is the seconds, blank in the first one.
func (w *work) took() string {
	if w.seconds == 0 {
		return ""
	}
	return fmt.Sprintf("%d s", w.seconds)
}

// sign is the spinner's picture of the moment, or word where there is none.
func (w *work) sign(word string) string {
	if len(w.frames) == 0 {
		return word
	}
	return w.spin.View()
}
