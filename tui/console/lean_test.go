package console

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// The program's own pages leave the process.
func TestReturnPages(t *testing.T) {
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range unwritten(string(smaps)) {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_POPULATE_READ); errno != 0 {
			t.Fatal(errno)
		}
	}
	before := residentText(t)
	returnPages()
	if after := residentText(t); after > before/2 {
		t.Errorf("%d kB of the program's text are resident, %d before", after, before)
	}
}

// residentText is how many kB of this program's text the process has mapped.
func residentText(t *testing.T) int {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, total := false, 0
	for line := range strings.Lines(string(smaps)) {
		f := strings.Fields(line)
		switch {
		case !strings.HasSuffix(f[0], ":"):
			text = strings.HasPrefix(f[1], "r-x") && strings.HasSuffix(strings.TrimSpace(line), program)
		case f[0] == "Rss:" && text:
			kilo, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			total += kilo
		}
	}
	if total == 0 {
		t.Fatalf("no text of %s in:\n%s", program, smaps)
	}
	return total
}

// Of a program that is linked to lie anywhere, the loader has written to constants that are
// read-only since: those pages are in no file.
func TestUnwritten(t *testing.T) {
	const smaps = `55e1a0ea1000-55e1a1516000 r-xp 00000000 fe:00 10010754                   /usr/sbin/connsync
Rss:                6228 kB
Private_Dirty:      1932 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me sd
55e1a1516000-55e1a1b1a000 r--p 00675000 fe:00 10010754                   /usr/sbin/connsync (deleted)
Anonymous:             0 kB
55e1a1b1a000-55e1a1c6f000 r--p 00c79000 fe:00 10010754                   /usr/sbin/connsync
Anonymous:          1172 kB
55e1a1c6f000-55e1a1d3a000 rw-p 00dce000 fe:00 10010754                   /usr/sbin/connsync
Anonymous:             0 kB
c000000000-c000400000 r--p 00000000 00:00 0
Anonymous:             0 kB
7ffd5b9d6000-7ffd5b9d8000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
Anonymous:             0 kB
`
	want := []mapping{{0x55e1a0ea1000, 0x55e1a1516000}, {0x55e1a1516000, 0x55e1a1b1a000}}
	if diff := cmp.Diff(want, unwritten(smaps), cmp.AllowUnexported(mapping{})); diff != "" {
		t.Errorf("mappings (-want +got):\n%s", diff)
	}
}
