package conntrackd

import (
	"fmt"
	"math"

	"connsync/conntrackd/typed"
)

func generalSettings() []Setting {
	return []Setting{
		hashSizeSetting(), hashLimitSetting(), netlinkBufferSetting(), netlinkGrowthSetting(), reliableEventsSetting(), pollSetting(),
		checksumSetting(), schedulerTypeSetting(), schedulerPrioritySetting(),
	}
}

// onHost is how a value becomes again what connsync computes.
const onHost = "Typing " + DefaultWord + " puts in what connsync computes for this host."

func computedDirective(keyword string, at func(*Settings) *int) *directive {
	return optionalNumberDirective(inGeneral, keyword, at)
}

func hashSizeSetting() Setting {
	at := func(s *Settings) *int { return &s.HashSize }
	return Setting{
		Field: FieldHashSize, Label: "Hash Size", Short: "Hash Size", Kind: NumberSetting, Advanced: true, Optional: true,
		Usage:    "`buckets` of conntrackd's caches (default a quarter of nf_conntrack_max)",
		Hint:     "buckets of the caches; the host's own: default.",
		Standard: "a quarter of nf_conntrack_max, a power of two", Example: "65536",
		About: []string{
			"How many buckets each of conntrackd's tables has; one takes 64 bytes in all. With 8192 and less, conntrackd refuses to flush its caches at a failover with the external cache. " + onHost,
		},
		Value: optionalNumber(at, "hash size", 1, mostNumber),
		Advice: func(s Settings) string {
			if !s.ExternalCache || s.HashSize <= 0 || s.HashSize > CommitStep {
				return ""
			}
			return fmt.Sprintf("with %d buckets or less, conntrackd refuses to flush its caches at a failover", CommitStep)
		},
		computed:  func(h Host, _ Settings) int { return h.hashSize() },
		directive: computedDirective("HashSize", at),
	}
}

// mostNumber is what the daemon's numbers hold. Whether it can start with one the host's
// own daemon says, at the trial: a file that runs with a large one is no fault.
const mostNumber = math.MaxInt32

func hashLimitSetting() Setting {
	at := func(s *Settings) *int { return &s.HashLimit }
	return Setting{
		Field: FieldHashLimit, Label: "Hash Limit", Short: "Hash Limit", Kind: NumberSetting, Advanced: true, Optional: true,
		Usage:    "`states` that each of conntrackd's caches holds (default twice nf_conntrack_max)",
		Hint:     "states that a cache holds; the host's own: default.",
		Standard: "twice nf_conntrack_max", Example: "524288",
		About: []string{
			"How many states each of conntrackd's caches holds at most. What comes beyond is lost without a word, so it should be twice nf_conntrack_max. " + onHost,
		},
		Value:     optionalNumber(at, "hash limit", 1, mostNumber),
		computed:  func(h Host, _ Settings) int { return h.hashLimit() },
		directive: computedDirective("HashLimit", at),
	}
}

func netlinkValue(at func(*Settings) *int) Value[int] {
	return Value[int]{
		At: at, Format: typed.FormatNumber,
		Parse: func(text string, _ Settings) (int, string) { return typed.EventBuffer(text) },
	}
}

func netlinkBufferSetting() Setting {
	at := func(s *Settings) *int { return &s.NetlinkBuffer }
	return Setting{
		Field: FieldNetlinkBuffer, Label: "Netlink Buffer Size", Short: "Netlink Buffer", Kind: BytesSetting, Advanced: true, Optional: true,
		Usage:    "buffer for the kernel's events in `bytes`, such as 2M (default 2097152)",
		Hint:     "bytes for the kernel's events, such as 2M.",
		Standard: "2097152", Example: "4M",
		About: []string{
			"How many bytes of the kernel's events may wait for conntrackd. Raise it where status says netlink overruns: events that do not fit are lost, and read again later. " + onHost,
		},
		Value:     netlinkValue(at),
		computed:  func(Host, Settings) int { return netlinkBuffer },
		directive: computedDirective("NetlinkBufferSize", at),
	}
}

func netlinkGrowthSetting() Setting {
	at := func(s *Settings) *int { return &s.NetlinkMaxGrowth }
	return Setting{
		Field: FieldNetlinkMaxGrowth, Label: "Netlink Max Growth", Short: "Netlink Growth", Kind: BytesSetting, Advanced: true, Optional: true,
		Usage:    "`bytes` up to which that buffer grows, such as 8M (default 8388608)",
		Hint:     "bytes up to which that buffer grows, such as 8M.",
		Standard: "8388608", Example: "16M",
		About: []string{
			"Up to how many bytes conntrackd lets the buffer grow when events were lost. It has to be at least the buffer size: with less conntrackd ignores that. " + onHost,
		},
		Value: netlinkValue(at),
		Rule: func(s Settings) string {
			if s.NetlinkMaxGrowth > 0 && s.NetlinkBuffer > s.NetlinkMaxGrowth {
				return fmt.Sprintf("netlink max growth %d is less than the buffer size, %d; type at least that", s.NetlinkMaxGrowth, s.NetlinkBuffer)
			}
			return ""
		},
		computed:  func(_ Host, s Settings) int { return max(netlinkGrowth, s.NetlinkBuffer) },
		directive: computedDirective("NetlinkBufferSizeMaxGrowth", at),
	}
}

func reliableEventsSetting() Setting {
	at := func(s *Settings) *string { return &s.NetlinkEventsReliable }
	words := []string{"on", "off", DefaultWord}
	return Setting{
		Field: FieldNetlinkEventsReliable, Label: "Reliable Events", Short: "Rel. Events", Kind: ChoiceSetting, Words: words, Advanced: true, Optional: true,
		Usual:    []string{"off"},
		Usage:    "`on` lets the kernel drop packets instead of events (default off)",
		Hint:     "on: the kernel drops packets instead of events.",
		Standard: "off", Example: "on",
		About: []string{
			"With on no event is lost: where conntrackd cannot keep up, the kernel drops the packets that would have made one. With off such events are lost, and the kernel's table is read again later. " + leftOut,
		},
		Value: optionalWord(at, "reliable events", words),
		Advice: func(s Settings) string {
			if s.NetlinkEventsReliable != "on" {
				return ""
			}
			return "the kernel drops packets of connections where conntrackd cannot keep up with their events"
		},
		directive: onOffDirective(inGeneral, "NetlinkEventsReliable", at),
	}
}

func pollSetting() Setting {
	at := func(s *Settings) *int { return &s.PollSecs }
	return Setting{
		Field: FieldPollSecs, Label: "Poll Seconds", Short: "Poll Seconds", Kind: NumberSetting, Advanced: true, Optional: true,
		Usage:    "read the kernel's table every so many `seconds` instead of listening to its events (default: listen)",
		Hint:     "seconds; loses short connections. Leave it out.",
		Standard: "none: conntrackd listens to the kernel's events", Example: "15",
		About: []string{
			"With a number conntrackd reads the kernel's table at intervals instead of listening to its events. Connections that begin and end in between are not replicated, and newer ones are only after up to so many seconds. " + leftOut,
		},
		Value: optionalNumber(at, "poll seconds", 1, mostNumber),
		Advice: func(s Settings) string {
			if s.PollSecs <= 0 {
				return ""
			}
			return fmt.Sprintf("conntrackd reads the kernel's table every %d s only: short connections are not replicated, and new ones not at once", s.PollSecs)
		},
		directive: optionalNumberDirective(inGeneral, "PollSecs", at),
	}
}

func checksumSetting() Setting {
	at := func(s *Settings) *string { return &s.Checksum }
	words := []string{"on", "off", DefaultWord}
	return Setting{
		Field: FieldChecksum, Label: "Checksum", Short: "Checksum", Kind: ChoiceSetting, Words: words, Advanced: true, Optional: true, Shared: true,
		Usual:    []string{"on"},
		Usage:    "checksum of the sync messages: `on` or off (default on)",
		Hint:     "of the sync messages.",
		Standard: "on", Example: "off",
		About: []string{
			"With on the sync messages carry a UDP checksum. With off a message that the link damaged is taken as it is. " + leftOut,
		},
		Value: optionalWord(at, "checksum", words),
		Advice: func(s Settings) string {
			if s.Checksum != "off" {
				return ""
			}
			return "without a checksum, messages that the link damaged are taken as they are"
		},
		directive: onOffDirective(inUDP, "Checksum", at),
	}
}

func schedulerTypeSetting() Setting {
	at := func(s *Settings) *string { return &s.SchedulerType }
	words := []string{"rr", "fifo", DefaultWord}
	return Setting{
		Field: FieldSchedulerType, Label: "Scheduler Type", Short: "Scheduler", Kind: ChoiceSetting, Words: words, Advanced: true, Optional: true,
		Usual:    []string{"rr"},
		Usage:    "real-time `scheduler` of conntrackd: rr or fifo (default rr)",
		Hint:     "real-time scheduler of conntrackd.",
		Standard: "rr", Example: "fifo",
		About: []string{
			"The real-time scheduling class in which conntrackd runs. The nice value of older files (Nice) is deprecated and without effect. " + leftOut,
		},
		Value:     optionalWord(at, "scheduler type", words),
		directive: schedulerType(at),
	}
}

// schedulerType is a word that the daemon reads in any case.
func schedulerType(at func(*Settings) *string) *directive {
	read := func(f *File, n *node) string {
		word, _ := typed.Word(f.arg(n, 0), "", []string{"rr", "fifo"})
		return word
	}
	return optional(inScheduler, "Type", at, DefaultWord, read, func(word string) string { return word })
}

func schedulerPrioritySetting() Setting {
	at := func(s *Settings) *int { return &s.SchedulerPriority }
	return Setting{
		Field: FieldSchedulerPriority, Label: "Scheduler Priority", Short: "Priority", Kind: NumberSetting, Advanced: true, Optional: true,
		Usual:    []string{"99"},
		Usage:    "real-time `priority` of conntrackd, 1 to 99 (default 99)",
		Hint:     "real-time priority of conntrackd, 1-99.",
		Standard: "99", Example: "50",
		About: []string{
			"The real-time priority of conntrackd: the higher, the sooner it runs. With a low one beside a busy host, events of the kernel are lost. " + leftOut,
		},
		Value:     optionalNumber(at, "scheduler priority", 1, 99),
		directive: optionalNumberDirective(inScheduler, "Priority", at),
	}
}
