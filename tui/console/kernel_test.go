package console

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"

	"connsync/lab/vt102"
)

func TestConsoleNames(t *testing.T) {
	for active, want := range map[string][]string{
		"tty0\n":               {"tty1"},
		"ttyS0 tty0\n":         {"ttyS0", "tty1"},
		"tty0 ttyS0 ttyAMA0\n": {"tty1", "ttyS0", "ttyAMA0"},
		"":                     nil,
	} {
		if diff := cmp.Diff(want, kernelNames(active)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", active, diff)
		}
	}
	for name, want := range map[string]string{"tty1": "linux", "tty63": "linux", "ttyS0": "vt220", "ttyAMA0": "vt220", "hvc0": "vt220", "tty": "vt220"} {
		if got := kernelTerm(name); got != want {
			t.Errorf("TERM of %s is %s, want %s", name, got, want)
		}
	}
}

// Of several consoles the one counts where Enter is pressed first; a line that
// takes no output and one that is gone do not matter.
func TestFirstKeyChoosesTheConsole(t *testing.T) {
	t.Parallel()
	names := []string{"tty1", "ttyS0", "ttyS1"}
	var far, near []*os.File
	var screens []*vt102.Screen
	for range names {
		f, n, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		defer n.Close()
		far, near, screens = append(far, f), append(near, n), append(screens, vt102.New(80, 24))
	}
	for i := range 2 {
		go func() {
			buf := make([]byte, 1024)
			for {
				n, err := far[i].Read(buf)
				_, _ = screens[i].Write(buf[:n])
				if err != nil {
					return
				}
			}
		}()
	}
	far[2].Close()
	chosen := make(chan int, 1)
	go func() {
		at, err := firstKey(t.Context(), near, names, 0)
		if err != nil {
			t.Error(err)
		}
		chosen <- at
	}()
	sees := func(i int, text string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !strings.Contains(screens[i].String(), text); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s never shows %q:\n%s", names[i], text, screens[i].String())
			}
		}
	}
	sees(0, "Press Enter to set it up on this console.")
	sees(1, "Press Enter to set it up on this console.")
	if _, err := far[1].WriteString("\r"); err != nil {
		t.Fatal(err)
	}
	if at := <-chosen; at != 1 {
		t.Errorf("chosen: %d", at)
	}
	sees(0, "Connection sync is being set up on ttyS0.")
	if _, err := firstKey(t.Context(), near[:2], names, 300*time.Millisecond); !errors.Is(err, ErrNobody) {
		t.Errorf("nobody: %v", err)
	}
}
