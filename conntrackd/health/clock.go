package health

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/service"
)

// startOf is when the daemon was started, by a clock that nobody sets: what was
// heard afterwards can be told from what was heard before, also where the time of
// day was set back meanwhile. Where the process cannot be read, the service's word
// counts, unless it lies in the future.
func startOf(s service.State) time.Time {
	now := time.Now()
	if age, err := processAge(s.MainPID); err == nil {
		return now.Add(-age)
	}
	if s.Since.IsZero() {
		return s.Since
	}
	return now.Add(-max(now.Sub(s.Since), 0))
}

// ticksPerSecond is USER_HZ, in which the kernel tells a process's start on every
// architecture that Linux still has.
const ticksPerSecond = 100

// processAge is how long a process has run: the 22nd field of /proc/PID/stat (proc(5))
// counts from the boot.
func processAge(pid int) (time.Duration, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	text := string(content)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // a name may hold blanks
	const start = 22 - 3
	if len(fields) <= start {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	ticks, err := strconv.ParseInt(fields[start], 10, 64)
	if err != nil {
		return 0, err
	}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return 0, err
	}
	return max(time.Duration(up.Nano())-time.Duration(ticks)*time.Second/ticksPerSecond, 0), nil
}
