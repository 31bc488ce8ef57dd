package outlet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stopped is a line that takes nothing until it is let go.
type stopped struct {
	goOn chan struct{}
	got  bytes.Buffer
}

func (s *stopped) Write(p []byte) (int, error) {
	<-s.goOn
	return s.got.Write(p)
}

// Beside the work nothing waits; afterwards everything is there, in order.
func TestBesideWaitsForNothing(t *testing.T) {
	line := &stopped{goOn: make(chan struct{})}
	o := New(t.Context(), line, nil)
	end := o.Beside()
	for range 100 {
		if _, err := io.WriteString(o, "ok    Write the file\n"); err != nil {
			t.Fatal(err)
		}
	}
	end()
	close(line.goOn)
	if _, err := io.WriteString(o, "Saved.\n"); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("ok    Write the file\n", 100) + "Saved.\n"; line.got.String() != want {
		t.Errorf("the line has %q", line.got.String())
	}
}

// The queue is bounded, and what is left out is marked.
func TestBesideIsBounded(t *testing.T) {
	line := &stopped{goOn: make(chan struct{})}
	o := New(t.Context(), line, nil)
	defer o.Beside()()
	for range 4 * most / piece {
		if _, err := o.Write(bytes.Repeat([]byte("x"), piece)); err != nil {
			t.Fatal(err)
		}
	}
	close(line.goOn)
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := line.got.Len(); n < most-piece || n > most+2*piece || strings.Count(line.got.String(), leftOut) != 1 {
		t.Errorf("the line has %d bytes with %d marks, at most about %d with one", n, strings.Count(line.got.String(), leftOut), most)
	}
}

// A line that takes nothing is given up a moment after the program is told to
// end, and not before; every write after that fails at once.
func TestStalledLineIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := &stopped{goOn: make(chan struct{})}
		ctx, end := context.WithCancel(t.Context())
		o := New(ctx, line, nil)
		time.AfterFunc(time.Hour, end)
		began := time.Now()
		for range 3 {
			if _, err := o.Write([]byte("a line\n")); !errors.Is(err, ErrStalled) {
				t.Errorf("it says %v", err)
			}
		}
		if err := o.Close(); !errors.Is(err, ErrStalled) {
			t.Errorf("Close says %v", err)
		}
		if took := time.Since(began); took != time.Hour+grace {
			t.Errorf("it waited for %v", took)
		}
		close(line.goOn)
	})
}

// A slow line is not a stopped one: it gets all of the last words.
func TestSlowLineIsNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := &slow{}
		ctx, end := context.WithCancel(t.Context())
		end()
		o := New(ctx, line, nil)
		if _, err := o.Write(make([]byte, 20*piece)); err != nil {
			t.Error(err)
		}
		if line.got != 20*piece {
			t.Errorf("the line has %d bytes, want %d", line.got, 20*piece)
		}
	})
}

type slow struct{ got int }

func (s *slow) Write(p []byte) (int, error) {
	time.Sleep(grace * 3 / 4)
	s.got += len(p)
	return len(p), nil
}

// A write that fails is told once to who has to know, and to the writer.
func TestLostFileIsTold(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	lost := make(chan struct{}, 2)
	o := New(t.Context(), full, func() { lost <- struct{}{} })
	for range 2 {
		if _, err := o.Write([]byte("x")); err == nil {
			t.Error("a full disk took a byte")
		}
	}
	<-lost
	if len(lost) > 0 || o.Err() == nil || !o.Used() {
		t.Errorf("told again: %v; error %v, used %v", len(lost) > 0, o.Err(), o.Used())
	}
}
