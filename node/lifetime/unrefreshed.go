package lifetime

import (
	"time"

	"golang.org/x/sys/unix"

	"connsync/conntrackd/coverage"
	"connsync/conntrackd/refresh"
	"connsync/netcheck/check"
)

// Unrefreshed says how long entries of connections that are in use without changing their state
// live on a peer whose kernel has them; nil where a refresh is seen to run here. One that looks
// too seldom for some kinds refreshes the others, for which it says 0.
func Unrefreshed(runtimeDir string) func(*coverage.Entry) time.Duration {
	s, err := refresh.Running(runtimeDir)
	if err != nil {
		s = nil
	}
	return unrefreshed(s, refresh.Kind.Timeout)
}

func unrefreshed(s *refresh.Status, timeout func(refresh.Kind) (time.Duration, error)) func(*coverage.Entry) time.Duration {
	if Judge(s, "", "").Status == check.Passed {
		return nil
	}
	seldom := s != nil && judgeEvery(s, 2*s.Interval)
	known := map[refresh.Kind]time.Duration{}
	return func(e *coverage.Entry) time.Duration {
		k := kindOf(e)
		if k == "" {
			return 0
		}
		t, read := known[k]
		if !read {
			t, _ = timeout(k) // the kernel lacks the setting where it has no such entries
			if seldom && 2*s.Interval <= t {
				t = 0
			}
			known[k] = t
		}
		return t
	}
}

// kindOf is which lifetime the entry has; blank for one that packets do not keep alive.
func kindOf(e *coverage.Entry) refresh.Kind {
	seen := func(stream, one refresh.Kind) refresh.Kind {
		if e.Seen {
			return stream
		}
		return one
	}
	switch e.Protocol {
	case unix.IPPROTO_TCP:
		return map[string]refresh.Kind{"ESTABLISHED": refresh.KindTCP, "FIN_WAIT": refresh.KindTCPFin, "CLOSE_WAIT": refresh.KindTCPClose}[e.StateName()]
	case unix.IPPROTO_SCTP:
		return map[string]refresh.Kind{"ESTABLISHED": refresh.KindSCTP}[e.StateName()]
	case unix.IPPROTO_DCCP:
		return ""
	case unix.IPPROTO_UDP, unix.IPPROTO_UDPLITE:
		return seen(refresh.KindUDPStream, refresh.KindUDP)
	case unix.IPPROTO_GRE:
		return seen(refresh.KindGREStream, refresh.KindGRE)
	case unix.IPPROTO_ICMP:
		return refresh.KindICMP
	case unix.IPPROTO_ICMPV6:
		return refresh.KindICMPv6
	}
	return refresh.KindGeneric
}

// judgeEvery says whether a refresh keeps entries that live so long.
func judgeEvery(s *refresh.Status, lifetime time.Duration) bool {
	every := *s
	every.Lifetime = lifetime
	return Judge(&every, "", "").Status == check.Passed
}
