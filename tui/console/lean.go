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

// Memory is given back a moment after the first frame, and after the start of a guarded
// program: what comes right behind it has the processors first. Then it is from time to
// time what looks at the file, the link and the sync have needed.
const (
	leanAfter = 100 * time.Millisecond
	leanEvery = 5 * time.Second
)

// keepLean gives back the memory that is not needed any more, again and again, as long as
// the process runs.
func keepLean() {
	debug.SetGCPercent(usualPercent)
	debug.FreeOSMemory()
	returnPages()
	time.AfterFunc(leanEvery, keepLean)
}

// returnPages takes the pages of the program's file out of the process: a start touches
// nearly all of them, what follows few. The kernel maps again what is needed, from its
// cache, and the rest there is the first to go when memory is short. A kernel without smaps
// keeps all mapped.
func returnPages() {
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, m := range unwritten(string(smaps)) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// unwritten are the mappings of a process (proc_pid_smaps(5)) whose pages are all those of
// a file. A page that was written to, as the loader does where the program's addresses are
// relative to where it lies, counts as anonymous and would be lost.
func unwritten(smaps string) []mapping {
	var found []mapping
	var m mapping
	for line := range strings.Lines(smaps) {
		f := strings.Fields(line)
		switch {
		case len(f) >= 2 && !strings.HasSuffix(f[0], ":"): // addresses, permissions, offset, device, inode, path
			m = mapping{}
			if len(f) >= 6 && strings.HasPrefix(f[5], "/") && !strings.Contains(f[1], "w") {
				m = mappingOf(f[0])
			}
		case len(f) >= 2 && f[0] == "Anonymous:" && f[1] == "0" && m.to > m.from:
			found = append(found, m)
		}
	}
	return found
}

func mappingOf(addresses string) mapping {
	from, to, _ := strings.Cut(addresses, "-")
	begin, err := strconv.ParseUint(from, 16, strconv.IntSize)
	if err != nil {
		return mapping{}
	}
	end, err := strconv.ParseUint(to, 16, strconv.IntSize)
	if err != nil {
		return mapping{}
	}
	return mapping{uintptr(begin), uintptr(end)}
}
