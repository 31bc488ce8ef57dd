package console

import (
	"runtime/debug"
	"time"
)

// The garbage collector's targets, in percent of what is in use: none is collected before
// the first frame, for which 4 MB are allocated. Later it collects earlier than Go does by
// itself: for a thousandth of a processor a console that stands open has 2 MB less.
const (
	startPercent = 400
	usualPercent = 50
)

// QuickStart lets nothing be collected until the first frame of [Line.Run].
func QuickStart() { debug.SetGCPercent(startPercent) }

// leanAfter is how long after the first frame memory is given back: what comes right
// behind it has the processors first.
const leanAfter = 100 * time.Millisecond

// lean gives back the memory that only the start has needed.
func lean() {
	debug.SetGCPercent(usualPercent)
	debug.FreeOSMemory()
}
