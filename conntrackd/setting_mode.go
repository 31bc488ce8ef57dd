package conntrackd

import (
	"cmp"
	"strings"
	"time"

	"connsync/conntrackd/typed"
)

// The modes as they are typed.
const (
	modeFTFW    = "ftfw"
	modeNotrack = "notrack"
	modeAlarm   = "alarm"
)

// modeSections are where the options of each mode stand.
var modeSections = map[string]section{modeFTFW: inFTFW, modeNotrack: inNotrack, modeAlarm: inAlarm}

func modeSettings() []Setting {
	return []Setting{modeSetting(), resendQueueSetting(), purgeTimeoutSetting(), commitTimeoutSetting(), refreshTimeSetting(), cacheTimeoutSetting()}
}

func modeSetting() Setting {
	at := func(s *Settings) *string { return &s.Mode }
	words := []string{modeFTFW, modeNotrack, modeAlarm}
	return Setting{
		Field: FieldMode, Label: "Mode", Short: "Mode", Kind: ChoiceSetting, Words: words, Advanced: true, Shared: true,
		Usual:    []string{modeFTFW},
		Usage:    "`mode` of the sync, the same on both nodes: ftfw, notrack or alarm (default ftfw)",
		Hint:     "ftfw acknowledges; notrack and alarm do not.",
		Standard: modeFTFW, Example: modeFTFW,
		About: []string{
			"ftfw sends lost messages again: the peer acknowledges them, so status can prove the sync in both directions. notrack sends once and nothing is acknowledged. alarm sends every state again at intervals, and an idle pair sends nothing.",
			"The mode has to be the same on both nodes. With notrack and alarm the verdict of one node is unknown at best: only the peer's own status says whether it receives.",
			"alarm always keeps the peer's states in the external cache.",
		},
		Value: Value[string]{
			At: at, Format: func(word string) string { return cmp.Or(word, modeFTFW) },
			Parse: func(text string, _ Settings) (string, string) {
				word, problem := typed.Word(text, "mode", words)
				return unlessFTFW(word), problem
			},
		},
		Rule: func(s Settings) string {
			if s.Mode == modeAlarm && !s.ExternalCache {
				return "mode alarm always keeps the peer's states in the external cache; set External Cache to on, or type another mode"
			}
			return ""
		},
		Advice: Settings.modeAdvice,
		directive: &directive{
			in: inSync, place: placeAdvanced,
			read: func(f *File, _ []*node, s *Settings) { s.Mode = f.mode() },
			same: func(a, b Settings) bool { return a.Mode == b.Mode },
		},
	}
}

// mode is the mode as it stands in [Settings].
func (f *File) mode() string { return unlessFTFW(strings.ToLower(f.Mode())) }

func unlessFTFW(word string) string {
	if word == modeFTFW {
		return ""
	}
	return word
}

// unacknowledged says what another mode than FTFW does to the proof.
var unacknowledged = map[string]string{
	modeNotrack: "in mode NOTRACK the peer never acknowledges messages: the verdict of one node is unknown at best, and what is lost stays lost until the connection changes",
	modeAlarm:   "in mode ALARM nothing is acknowledged and an idle pair sends nothing: the verdict of one node is unknown at best",
}

func (s Settings) modeAdvice() string { return unacknowledged[s.Mode] }

// modeNumber is a number of the Mode block.
type modeNumber struct {
	field             Field
	label, keyword    string
	least, most       int
	shared            bool
	standard, example string
	usage, hint       string
	about             []string
	takes             func(Settings) bool
	onlyIn            string // why it is not taken, for a sentence
	at                func(*Settings) *int
}

func (n modeNumber) setting() Setting {
	return Setting{
		Field: n.field, Label: n.label, Short: n.label, Kind: NumberSetting, Advanced: true, Optional: true, Shared: n.shared,
		Usage: n.usage, Hint: n.hint, Standard: n.standard, Example: n.example, About: n.about,
		Value: optionalNumber(n.at, strings.ToLower(n.label), n.least, n.most),
		takes: n.takes,
		Rule: func(s Settings) string {
			if v := *n.at(&s); v == 0 || v == typed.DefaultNumber || n.takes == nil || n.takes(s) {
				return ""
			}
			return strings.ToLower(n.label) + " " + n.onlyIn
		},
		directive: n.directive(),
	}
}

func (n modeNumber) directive() *directive {
	d := optionalNumberDirective(inFTFW, n.keyword, n.at)
	if n.takes == nil {
		return d
	}
	read := d.read
	d.read = func(f *File, inBlock []*node, s *Settings) {
		if n.takes(Settings{ExternalCache: f.externalCache(), Advanced: Advanced{Mode: f.mode()}}) {
			read(f, inBlock, s)
		}
	}
	return d
}

func ftfw(s Settings) bool  { return s.Mode == "" }
func alarm(s Settings) bool { return s.Mode == modeAlarm }

const mostSeconds = 1<<31 - 1

func resendQueueSetting() Setting {
	return modeNumber{
		field: FieldResendQueueSize, label: "Resend Queue", keyword: "ResendQueueSize", least: 1, most: 1 << 30,
		standard: "131072", example: "262144", takes: ftfw, onlyIn: "is an option of mode ftfw alone; leave it out in another mode",
		usage: "`messages` that are kept until the peer acknowledges them; mode ftfw (default 131072)",
		hint:  "messages kept until they are acknowledged.",
		about: []string{"How many messages wait for the peer's acknowledgement, in mode ftfw. When the queue is full, new messages are not sent again after a loss. " + leftOut},
		at:    func(s *Settings) *int { return &s.ResendQueueSize },
	}.setting()
}

func purgeTimeoutSetting() Setting {
	return modeNumber{
		field: FieldPurgeTimeout, label: "Purge Timeout", keyword: "PurgeTimeout", least: 1, most: mostSeconds,
		standard: "60", example: "15",
		usage: "`seconds` after which a node that steps back clears its table (default 60)",
		hint:  "seconds until a node that steps back clears its table.",
		about: []string{"How long after a failover the node that became backup waits before it removes the connections from its kernel's table. Where a node comes back sooner, its old entries are still there. " + leftOut},
		at:    func(s *Settings) *int { return &s.PurgeTimeout },
	}.setting()
}

// PurgeDelay is how long after a request to purge it (conntrackd -t) the daemon
// empties the kernel's table: PurgeTimeout, or the daemon's own 60 s.
func (s Settings) PurgeDelay() time.Duration {
	if s.PurgeTimeout <= 0 {
		return time.Minute
	}
	return time.Duration(s.PurgeTimeout) * time.Second
}

func commitTimeoutSetting() Setting {
	return modeNumber{
		field: FieldCommitTimeout, label: "Commit Timeout", keyword: "CommitTimeout", least: 1, most: mostSeconds,
		standard: "the kernel's own timeouts", example: "180",
		takes: func(s Settings) bool { return s.ExternalCache }, onlyIn: "means nothing without the external cache; set External Cache to on, or leave it out",
		usage: "`seconds` that a committed connection lives at least; external cache (default the kernel's timeouts)",
		hint:  "seconds that a committed connection lives.",
		about: []string{"How long connections live in the kernel's table that a failover has committed, until a packet of theirs is seen. It means something with the external cache alone. " + leftOut},
		at:    func(s *Settings) *int { return &s.CommitTimeout },
	}.setting()
}

const alarmOnly = "is an option of mode alarm alone; leave it out in another mode"

func refreshTimeSetting() Setting {
	return modeNumber{
		field: FieldRefreshTime, label: "Refresh Time", keyword: "RefreshTime", least: 1, most: mostSeconds, shared: true,
		standard: "60", example: "15", takes: alarm, onlyIn: alarmOnly,
		usage: "`seconds` between two sendings of a state; mode alarm (default 60)",
		hint:  "seconds between two sendings of a state.",
		about: []string{"How often mode alarm sends every state again. It has to be shorter than the cache timeout. " + leftOut},
		at:    func(s *Settings) *int { return &s.RefreshTime },
	}.setting()
}

// Defaults of conntrackd for mode ALARM, in seconds.
const (
	defaultRefreshTime  = 60
	defaultCacheTimeout = 180
)

func cacheTimeoutSetting() Setting {
	e := modeNumber{
		field: FieldCacheTimeout, label: "Cache Timeout", keyword: "CacheTimeout", least: 1, most: mostSeconds, shared: true,
		standard: "180", example: "180", takes: alarm, onlyIn: alarmOnly,
		usage: "`seconds` after which a state of the peer goes that was not sent again; mode alarm (default 180)",
		hint:  "seconds after which a state goes that is not sent again.",
		about: []string{"How long mode alarm keeps a state of the peer that is not sent again. " + leftOut},
		at:    func(s *Settings) *int { return &s.CacheTimeout },
	}.setting()
	e.Advice = func(s Settings) string {
		refresh, cache := max(s.RefreshTime, 0), max(s.CacheTimeout, 0)
		if refresh == 0 {
			refresh = defaultRefreshTime
		}
		if cache == 0 {
			cache = defaultCacheTimeout
		}
		if !alarm(s) || cache > refresh {
			return ""
		}
		return "the cache timeout is not longer than the refresh time: states go from the peer before they are sent again"
	}
	return e
}

// leftOut is how every optional value leaves the file again.
const leftOut = "Typing " + DefaultWord + " takes it out of the file."
