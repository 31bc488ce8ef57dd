package console

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"connsync/lab/vt102"
)

func everyRow(int) bool { return true }

// after is a display that shows text, and what was sent for it.
func after(text string, width, height int) *display {
	d := clearDisplay(width, height)
	d.paint(parse(text, width, height, true), everyRow)
	return d
}

func TestPaint(t *testing.T) {
	tests := []struct {
		name       string
		have, want string
		x, y       int // where the cursor is before
		sent       string
	}{
		{"nothing", "abc\nd", "abc\nd", 2, 0, ""},
		{"a character at the cursor", "Port 378", "Port 3780", 8, 0, "0"},
		{"a character before the cursor", "Port 3780", "Port 378", 9, 0, "\b "},
		{"the rest of a line", "a long hint stands here", "a hint", 23, 0, "\ra hint\x1b[K"},
		{"a mark moves down", " > Port\n   Peer", "   Port\n > Peer", 9, 0, "\r  \r\n >"},
		{"over a short gap", "one two", "0ne Two", 0, 0, "0ne T"},
		{"over a long gap", "one two three four", "0ne two three fouR", 0, 0, "0\x1b[16CR"},
		{"far away", "", strings.Repeat("\n", 20) + "          x", 5, 0, "\x1b[21;11Hx"},
		{"up one", "a\nb", "A\nb", 1, 1, "\x1b[HA"},
		{"blanks in the middle", "one two three four five", "one" + strings.Repeat(" ", 16) + "five", 0, 0, "one\x1b[K\x1b[16Cfive"},
		{"style", "ok", "\x1b[31mok\x1b[m go", 0, 0, "\x1b[31mok\x1b[m go"},
		{"style to style", "", "\x1b[31ma\x1b[m\x1b[1mb\x1b[m", 0, 0, "\x1b[31ma\x1b[0;1mb"},
		{"outside ASCII", "", "日本é", 0, 0, "?????"},
		{"sequences of others", "", "a\x1b]0;title\x07b\x1b[2Jc\x1b[>4m\x9bd\x00e", 0, 0, "abce"},
		{"the corner", "", strings.Repeat("\n", 23) + strings.Repeat("x", 80), 0, 23, strings.Repeat("x", 79)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := after(tt.have, 80, 24)
			d.pen.x, d.pen.y = tt.x, tt.y
			got := string(d.paint(parse(tt.want, 80, 24, true), everyRow))
			if diff := cmp.Diff(tt.sent, got); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever a screen shows and whatever it has to show, after painting it does.
func TestPaintIsRight(t *testing.T) {
	t.Parallel()
	const width, height = 20, 6
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		d := clearDisplay(width, height)
		screen := vt102.New(width, height)
		screen.Write([]byte(reset))
		for range 5 {
			text := randomText(r, d.cells)
			sent := d.paint(parse(text, width, height, true), everyRow)
			x, y := r.IntN(width-1), r.IntN(height)
			sent = append(sent, d.moveTo(x, y)...)
			if err := vt102.Foreign(sent); err != nil {
				t.Fatal(err)
			}
			screen.Write(sent)
			want := plainText(parse(text, width, height, true))
			if diff := cmp.Diff(want, screen.String()); diff != "" {
				t.Fatalf("round %d: %q shows (-want +got):\n%s", round, sent, diff)
			}
			if gx, gy := screen.Cursor(); gx != x || gy != y {
				t.Fatalf("round %d: cursor at %d,%d, want %d,%d", round, gx, gy, x, y)
			}
		}
		screen.Close()
	}
}

// Characters that are two cells wide, over and beside each other.
func TestPaintWide(t *testing.T) {
	d := clearDisplay(8, 2)
	screen := vt102.New(8, 2)
	defer screen.Close()
	for _, text := range []string{"日本語", "a日b", "日a本", " 日", "日本", "abcdef", "xxxxxx日", "x\n日本語x"} {
		screen.Write(d.paint(parse(text, 8, 2, false), everyRow))
		want := plainText(parse(text, 8, 2, false))
		if diff := cmp.Diff(want, screen.String()); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// A style does not outlast a frame whose cursor is at a place without it.
func TestStyleEndsWithTheFrame(t *testing.T) {
	for _, tt := range []struct {
		text string
		x    int
		want string
	}{
		{"Port 37\x1b[32m80\x1b[m", 0, "\x1b[m\r"},
		{"Port 37\x1b[32m80\x1b[m", 8, "\b"},
		{"\x1b[32mPort\x1b[m 3780", 0, "\r"},
	} {
		d := clearDisplay(20, 2)
		d.paint(parse(tt.text, 20, 2, true), everyRow)
		if got := string(d.moveTo(tt.x, 0)); got != tt.want {
			t.Errorf("%q, cursor in %d: %q, want %q", tt.text, tt.x, got, tt.want)
		}
		if again := d.moveTo(tt.x, 0); len(again) > 0 {
			t.Errorf("%q, cursor in %d: again %q", tt.text, tt.x, again)
		}
	}
}

// randomText is sometimes a page of its own, sometimes a small change.
func randomText(r *rand.Rand, have grid) string {
	if r.IntN(3) > 0 {
		rows := strings.Split(plainText(have), "\n")
		y := r.IntN(len(have))
		row := []byte(rows[y] + strings.Repeat(" ", len(have[0])-len(rows[y])))
		for range r.IntN(4) {
			at := r.IntN(len(row))
			row[at] = " abc"[r.IntN(4)]
		}
		if r.IntN(4) == 0 {
			row = row[:r.IntN(len(row))]
		}
		rows[y] = string(row)
		return strings.Join(rows, "\n")
	}
	var b strings.Builder
	for range len(have) {
		for range r.IntN(len(have[0]) + 4) {
			b.WriteString([]string{" ", " ", " ", "a", "b", "\x1b[1mc\x1b[m"}[r.IntN(6)])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func plainText(g grid) string {
	var b strings.Builder
	for y, row := range g {
		line := ""
		for x, c := range row {
			if y == len(g)-1 && x == len(row)-1 {
				break // never written
			}
			line += c.text
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// Whatever a view holds, what is sent for it a VT100 knows.
func FuzzPaint(f *testing.F) {
	f.Add("Port\n\x1b[31m3780\x1b[m", "\x1b]0;x\x07\x1b[?25l日\x9b3;4H")
	f.Fuzz(func(t *testing.T, before, text string) {
		d := after(before, 30, 4)
		d.pen.out = nil
		if err := vt102.Foreign(d.paint(parse(text, 30, 4, true), everyRow)); err != nil {
			t.Error(err)
		}
	})
}

// What is to be seen when the painter is closed, and was not begun, stays unseen.
func TestNoFrameIsBegunAtTheEnd(t *testing.T) {
	for range 20 { // whatever the painter is roused by
		out, err := os.Create(filepath.Join(t.TempDir(), "line"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		p := newPainter(&Line{out: out, uart: true}, func() { t.Error("the line is lost") })
		p.pace = nil
		p.show(tea.NewView("one"), 40, 12)
		close(p.stop)
		p.run()
		if size := sizeOf(t, out); size > 0 {
			t.Fatalf("%d bytes after the end", size)
		}
	}
}

// The first frame is drawn at once; what comes behind it, and everything on a slow line,
// waits for what belongs to it.
func TestFirstFrameIsDrawnAtOnce(t *testing.T) {
	for uart, want := range map[bool][]time.Duration{false: {0, gather}, true: {gather, gather}} {
		out, err := os.Create(filepath.Join(t.TempDir(), "line"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		synctest.Test(t, func(t *testing.T) {
			p := newPainter(&Line{out: out, uart: uart}, func() { t.Error("the line is lost") })
			p.pace = nil
			var took []time.Duration
			go p.run()
			synctest.Wait()
			for _, text := range []string{"one", "two"} {
				began, size := time.Now(), sizeOf(t, out)
				p.show(tea.NewView(text), 40, 12)
				for synctest.Wait(); sizeOf(t, out) == size; synctest.Wait() {
					time.Sleep(time.Millisecond)
				}
				took = append(took, time.Since(began))
			}
			p.close(time.Second)
			if diff := cmp.Diff(want, took); diff != "" {
				t.Errorf("slow line %v (-want +got):\n%s", uart, diff)
			}
		})
	}
}

func sizeOf(t *testing.T, f *os.File) int64 {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
