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

// SideBySide sets how many parallel tests of this process run at a time, since they wait more
// than they work: so many, or GOMAXPROCS where that is more. The flag -parallel overrides it;
// the workers of a fuzz target stay as many as there are processors. TestMain calls it.
func SideBySide(tests int) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" || f.Name == "test.fuzz" })
	if given {
		return
	}
	if err := flag.Set("test.parallel", strconv.Itoa(max(tests, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err) // the flags of go test are not there: this is no test
	}
}
