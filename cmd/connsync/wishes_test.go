package main

import (
	"os/exec"
	"regexp"
	"testing"

	"connsync/lab/tty"
)

// What the operator, the locale and the terminal say about colour and
// characters is heeded.
func TestFormHeedsWishes(t *testing.T) {
	t.Parallel()
	colour := regexp.MustCompile(`\x1b\[[0-9;]*\b(3[0-7]|4[0-7]|9[0-7])[0-9;]*m`)
	focus := regexp.MustCompile(`\x1b\[(0;)?(7|30;46)m`)
	beyondASCII := regexp.MustCompile(`[^\x00-\x7f]`)
	for _, tt := range []struct {
		name          string
		environ, args []string
		colour, rich  bool
	}{
		{"an emulator", []string{"TERM=xterm-256color", "LC_ALL=C.UTF-8"}, nil, true, true},
		{"--no-color", []string{"TERM=xterm-256color", "LC_ALL=C.UTF-8"}, []string{"--no-color"}, false, true},
		{"NO_COLOR=1", []string{"TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR=1"}, nil, false, true},
		{"NO_COLOR=0", []string{"TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR=0"}, nil, false, true},
		{"NO_COLOR=yes", []string{"TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR=yes"}, nil, false, true},
		{"blank NO_COLOR", []string{"TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR="}, nil, true, true},
		{"--ascii", []string{"TERM=xterm-256color", "LC_ALL=C.UTF-8"}, []string{"--ascii"}, true, false},
		{"LC_ALL=C", []string{"TERM=xterm-256color", "LC_ALL=C", "LANG=C.UTF-8"}, nil, true, false},
		{"ISO 8859-1", []string{"TERM=xterm-256color", "LC_ALL=", "LC_CTYPE=de_DE.ISO-8859-1", "LANG=C.UTF-8"}, nil, true, false},
		{"linux", []string{"TERM=linux", "LC_ALL=C.UTF-8"}, nil, true, false},
		{"vt100", []string{"TERM=vt100", "LC_ALL=C.UTF-8"}, nil, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plain, _ := lineCommand(t, tt.args...)
			cmd := exec.Command(plain.Path, plain.Args[1:]...)
			seat, err := tty.Open(cmd, tty.Line{Width: 80, Height: 24, Environ: tt.environ}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer seat.Close()
			// A value that is wrong, which is where colour is most wanted.
			for _, at := range [][2]string{{"ctrl+c quit", "\t\t\t\x15nonsense\t"}, {"! Peer IP", ctrlC + ctrlC}} {
				if err := seat.See(patience, at[0]); err != nil {
					t.Fatal(err)
				}
				if err := seat.Type(at[1]); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := seat.Wait(patience); err != nil {
				t.Fatal(err)
			}
			if got := colour.Match(seat.Stream()); got != tt.colour {
				t.Errorf("colour: %v, want %v; it sent %q", got, tt.colour, seat.Stream())
			}
			if !focus.Match(seat.Stream()) {
				t.Errorf("nothing shows the focus; it sent %q", seat.Stream())
			}
			if got := beyondASCII.Match(seat.Stream()); got != tt.rich {
				t.Errorf("characters beyond ASCII: %v, want %v; it sent %q", got, tt.rich, seat.Stream())
			}
		})
	}
}
