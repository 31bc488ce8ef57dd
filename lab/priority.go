package lab

import (
	"flag"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// GoFirst gives this process, and what it starts from then on, the processors before
// others that want them (nice -15), for tests of what has deadlines of its own: entries
// that expire, a line that is paced. Without root nothing
// changes. TestMain calls it first: threads inherit it from the one that starts them.
func GoFirst() {
	threads, _ := filepath.Glob("/proc/self/task/*")
	for _, thread := range threads {
		if id, err := strconv.Atoi(filepath.Base(thread)); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, -15)
		}
	}
}

// SideBySide lets so many tests of this process run beside each other that call Parallel,
// unless -parallel says how many: more than there are processors, since they wait more than
// they work. TestMain calls it.
func SideBySide(tests int) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if asked {
		return
	}
	if err := flag.Set("test.parallel", strconv.Itoa(max(tests, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err) // the flags of go test are not there: this is no test
	}
}
