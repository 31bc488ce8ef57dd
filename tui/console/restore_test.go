package console

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// A pseudo-terminal forgets its attributes at a hang-up, which a UART does not:
// the hang-up itself is tested on one (lab/uart).
func TestRestoreAnew(t *testing.T) {
	for _, tt := range []struct {
		name  string
		other func(*unix.Termios) // what somebody else has set meanwhile; may be nil
	}{
		{"as this program left it", nil},
		{"set by somebody else", func(a *unix.Termios) { a.Lflag |= unix.ICANON }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, tty := openPty(t)
			l := Open(tty, tty, []string{"TERM=vt100"})
			old, err := l.makeRaw()
			if err != nil {
				t.Fatal(err)
			}
			want := *old
			if tt.other != nil {
				want = attributes(t, tty)
				tt.other(&want)
				if err := unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, &want); err != nil {
					t.Fatal(err)
				}
			}
			l.restoreAnew(old)
			if diff := cmp.Diff(want, attributes(t, tty)); diff != "" {
				t.Errorf("terminal attributes (-want +got):\n%s", diff)
			}
		})
	}
}
