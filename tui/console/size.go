package console

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// probeLimit bounds how long a terminal may take to say where its cursor is;
// one that does not know the question costs this once.
const probeLimit = time.Second

// cursorReport is the answer to "where is the cursor" (ECMA-48 CPR).
var cursorReport = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\x1b\[(\d{1,4});(\d{1,4})R`) })

// FindSize asks a terminal that reports 0x0 for its size, by moving the cursor
// as far as it goes, and tells the kernel, so that every later program knows
// it too. Keys typed meanwhile are returned. A terminal that does not answer,
// or a line that takes no output, is no error: the size stays unknown, and
// 80x24 is assumed.
func (l *Line) FindSize() (typed []byte, err error) {
	if l.kind == Dumb {
		return nil, nil
	}
	if _, _, ok := windowSize(l.out); ok {
		return nil, nil
	}
	old, err := l.makeRaw()
	if err != nil {
		return nil, err
	}
	defer l.restore(old)
	if !writable(l.out, int(probeLimit.Milliseconds())) {
		return nil, nil
	}
	if _, err := l.out.WriteString("\x1b7\x1b[r\x1b[999;999H\x1b[6n\x1b8"); err != nil {
		return nil, fmt.Errorf("ask terminal for its size: %w", err)
	}
	got := readReport(l.in, time.Now().Add(probeLimit))
	at := cursorReport().FindSubmatchIndex(got)
	if at == nil {
		return got, nil
	}
	height, _ := strconv.Atoi(string(got[at[2]:at[3]])) // at most four digits, by the pattern
	width, _ := strconv.Atoi(string(got[at[4]:at[5]]))
	typed = append(bytes.Clone(got[:at[0]]), got[at[1]:]...)
	if plausible(width, height) {
		if err := setWindowSize(l.out, width, height); err != nil {
			return typed, fmt.Errorf("tell the kernel the size %dx%d: %w", width, height, err)
		}
	}
	return typed, nil
}

// plausible refuses answers that are more likely line noise than a size.
func plausible(width, height int) bool {
	return width >= 40 && width <= 300 && height >= 10 && height <= 100
}

func readReport(in *os.File, until time.Time) []byte {
	var got []byte
	buf := make([]byte, 256)
	for cursorReport().Find(got) == nil {
		left := time.Until(until)
		if left <= 0 || !readable(in, int(left.Milliseconds())+1) {
			break
		}
		n, err := in.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil || n == 0 {
			break
		}
	}
	return got
}

// size is the line's size: what the kernel has, else COLUMNS and LINES, else
// that of a VT100.
func (l *Line) size() (width, height int) {
	if width, height, ok := windowSize(l.out); ok {
		return width, height
	}
	width, height = 80, 24
	if n, err := strconv.Atoi(lookup(l.environ, "COLUMNS")); err == nil && n > 0 && n <= 300 {
		width = n
	}
	if n, err := strconv.Atoi(lookup(l.environ, "LINES")); err == nil && n > 0 && n <= 100 {
		height = n
	}
	return width, height
}
