// Package lifetime says how long conntrack entries live, and whether a refresh keeps
// those of connections in use alive.
package lifetime

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"connsync/conntrackd/refresh"
	"connsync/netcheck/check"
	"connsync/plural"
	"connsync/shell"
)

// lifetimes name the settings that the check tells of, in its words.
var lifetimes = []struct {
	kind refresh.Kind
	name string
}{
	{refresh.KindICMP, "ICMP"}, {refresh.KindUDP, "UDP one way"}, {refresh.KindUDPStream, "UDP"},
	{refresh.KindGREStream, "GRE"}, {refresh.KindSCTP, "SCTP"}, {refresh.KindTCP, "TCP"},
}

// Read says how long entries live of which packets come, one way after
// the other, and the shortest time; zero where the kernel has no such setting.
func Read() (lives string, shortest time.Duration, err error) {
	var words []string
	for _, l := range lifetimes {
		t, err := l.kind.Timeout()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", 0, err
		}
		words = append(words, fmt.Sprintf("%s after %s", l.name, inWords(t)))
	}
	_, shortest, err = refresh.Shortest()
	return strings.Join(words, ", "), shortest, err
}

func inWords(d time.Duration) string {
	if days := d / (24 * time.Hour); days >= 2 && d%(24*time.Hour) == 0 {
		return plural.Of(days, "day", "days")
	}
	return fmt.Sprintf("%g s", d.Seconds())
}

// Judge judges a refresh that runs, or none that does not, where entries live as [Read] says.
// called is how the operator calls this program.
func Judge(s *refresh.Status, lives string, called shell.Program) check.Finding {
	failed := func(format string, args ...any) check.Finding {
		return check.Finding{Status: check.Failed, Detail: fmt.Sprintf(format, args...) + ": connections that are in use without changing their state expire on the peer, " + lives}
	}
	switch {
	case s == nil:
		return failed("connsync refresh does not run")
	case s.Error != "":
		return failed("connsync refresh fails (%s)", s.Error)
	case s.Idle != "":
		return check.Finding{Status: check.Passed, Detail: "connsync refresh runs and waits: " + s.Idle}
	case 2*s.Interval > s.Lifetime:
		f := failed("connsync refresh looks every %s, and entries may live %s", inWords(s.Interval), inWords(s.Lifetime))
		f.Remedy = called.Command("refresh", "--every", "auto")
		return f
	case !s.Looked.IsZero() && time.Since(s.Looked) > 3*s.Interval+10*time.Second:
		return failed("connsync refresh (process %d) has not looked since %s", s.PID, s.Looked.Format(time.DateTime))
	}
	return check.Finding{Status: check.Passed, Detail: fmt.Sprintf(
		"connsync refresh looks every %s; without it connections in use would expire on the peer, %s", inWords(s.Interval), lives)}
}
