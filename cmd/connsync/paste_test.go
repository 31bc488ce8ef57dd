package main

import (
	"os/exec"
	"strings"
	"testing"

	"connsync/lab/tty"
)

// A paste that lost the mark of its end on the line holds up no screen: it ends
// with a pause, at its size, and with Ctrl+C, which leaves the program. Nor does one
// that the terminal does not mark.
func TestOpenPaste(t *testing.T) {
	t.Parallel()
	const paste = "\x1b[200~10.0.0.9\x1b[201"
	for _, tt := range []struct {
		name string
		args []string
		// do are texts that are seen, and what is typed then.
		do [][2]string
	}{
		{"form, Ctrl+C", nil, [][2]string{{"ctrl+c quit", "\t\t\t" + paste + ctrlC + ctrlC}}},
		{"form, a pause", nil, [][2]string{{"ctrl+c quit", "\t\t\t" + paste}, {"10.0.0.9", "\t"}, {"> Port", ctrlC + ctrlC}}},
		{"form, its size", nil, [][2]string{{"ctrl+c quit", "\t\t\t\x1b[200~" + strings.Repeat("9", 9000)}, {"99999999", ctrlC + ctrlC}}},
		{"form, unmarked", nil, [][2]string{{"ctrl+c quit", "\t\t\t" + strings.Repeat("0123456789 a line of text", 2000) + ctrlC + ctrlC}}},
		{"picker", nil, [][2]string{{"ctrl+c quit", "\t "}, {"Choose the sync interface", paste}, {"10.0.0.9", paste + ctrlC + ctrlC}}},
		{"setup", []string{"setup"}, [][2]string{{"ctrl+c later", paste + ctrlC + ctrlC}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plain, config := lineCommand(t, tt.args...)
			seat, err := tty.Open(exec.Command(plain.Path, plain.Args[1:]...), tty.Line{Width: 80, Height: 24, Environ: []string{"TERM=vt100", "LC_ALL=C"}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer seat.Close()
			for _, step := range tt.do {
				if err := seat.See(patience, step[0]); err != nil {
					t.Fatal(err)
				}
				if err := seat.Type(step[1]); err != nil {
					t.Fatal(err)
				}
			}
			state, err := seat.Wait(endsWithin)
			if err != nil {
				t.Fatal(err)
			}
			if cpu := state.UserTime() + state.SystemTime(); cpu > cpuLimit {
				t.Errorf("it took %v of a processor", cpu)
			}
			if exists(config) {
				t.Error("there is a file")
			}
		})
	}
}
