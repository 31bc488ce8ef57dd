package console

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The garbage collector's targets, in percent of what is in use: none is collected before
// the first frame, for which 4 MB are allocated.
const (
	startPercent = 400
	usualPercent = 100
)

// QuickStart lets nothing be collected until the first frame of [Line.Run].
func QuickStart() { debug.SetGCPercent(startPercent) }

// leanAfter is how long after the first frame, or the start of the program that draws,
// memory is given back: what comes right behind it has the processors first.
const leanAfter = 100 * time.Millisecond

// lean gives back the memory that only the start has needed.
func lean() {
	debug.SetGCPercent(usualPercent)
	debug.FreeOSMemory()
	dropProgram()
}

// dropProgram unmaps the pages of the program's file that were never written to. The
// kernel maps sixteen at each touch of one, so that the start leaves most of the file
// in memory; those that are needed again come from the kernel's cache.
func dropProgram() {
	program, err := os.Readlink("/proc/self/exe")
	maps, failed := os.ReadFile("/proc/self/smaps")
	if err != nil || failed != nil {
		return // it stays as large as it is
	}
	for _, m := range clean(string(maps), program) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.start, m.size, unix.MADV_DONTNEED)
	}
}

// mapping is a part of the process's memory.
type mapping struct{ start, size uintptr }

// clean reads in /proc/self/smaps which mappings of a file cannot be written to and have
// no page of their own: what the dynamic loader has relocated is not among them.
func clean(smaps, file string) []mapping {
	var all []mapping
	var at *mapping
	for line := range strings.Lines(smaps) {
		f := strings.Fields(line)
		from, to, isRange := strings.Cut(f[0], "-")
		switch {
		case isRange && len(f) >= 5:
			at = nil
			start, err := strconv.ParseUint(from, 16, 64)
			end, failed := strconv.ParseUint(to, 16, 64)
			if err == nil && failed == nil && strings.HasSuffix(strings.TrimSpace(line), " "+file) && f[1][1] == '-' {
				at = &mapping{uintptr(start), uintptr(end - start)}
			}
		case at != nil && f[0] == "Anonymous:" && len(f) > 1 && f[1] == "0":
			all = append(all, *at)
			at = nil
		}
	}
	return all
}
