package conntrackd

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"connsync/conntrackd/typed"
)

// The advanced settings, in the order in which they are shown.
const (
	FieldTransport             Field = "transport"
	FieldMulticastGroup        Field = "multicast_group"
	FieldMode                  Field = "mode"
	FieldResendQueueSize       Field = "resend_queue_size"
	FieldPurgeTimeout          Field = "purge_timeout"
	FieldCommitTimeout         Field = "commit_timeout"
	FieldRefreshTime           Field = "refresh_time"
	FieldCacheTimeout          Field = "cache_timeout"
	FieldProtocols             Field = "protocols"
	FieldIgnoreAddresses       Field = "ignore_addresses"
	FieldTCPStates             Field = "tcp_states"
	FieldFilterFrom            Field = "filter_from"
	FieldTCPWindowTracking     Field = "tcp_window_tracking"
	FieldExpectationSync       Field = "expectation_sync"
	FieldHashSize              Field = "hash_size"
	FieldHashLimit             Field = "hash_limit"
	FieldNetlinkBuffer         Field = "netlink_buffer_size"
	FieldNetlinkMaxGrowth      Field = "netlink_buffer_max_growth"
	FieldNetlinkEventsReliable Field = "netlink_events_reliable"
	FieldPollSecs              Field = "poll_secs"
	FieldChecksum              Field = "checksum"
	FieldSchedulerType         Field = "scheduler_type"
	FieldSchedulerPriority     Field = "scheduler_priority"
)

// Advanced are the values beyond those that a pair needs. A zero value is one that is
// not given: the file keeps its own. That is not so for the transport and the mode. [DefaultWord], or typed.DefaultNumber for a
// number, takes the directive out of the file. Lists have commas between their items.
type Advanced struct {
	Transport                             string // multicast; blank is udp
	MulticastGroup                        string // an address; blank with udp
	Mode                                  string // notrack or alarm; blank is ftfw
	ResendQueueSize                       int    // messages; FTFW only
	PurgeTimeout, CommitTimeout           int    // seconds
	RefreshTime, CacheTimeout             int    // seconds; ALARM only
	Protocols, IgnoreAddresses, TCPStates string
	FilterFrom                            string // kernelspace or userspace
	TCPWindowTracking                     string // on or off
	ExpectationSync                       string // on, off or a list of helpers
	HashSize, HashLimit                   int    // buckets and states of a cache
	NetlinkBuffer, NetlinkMaxGrowth       int    // bytes
	NetlinkEventsReliable                 string // on or off
	PollSecs                              int
	Checksum                              string // on or off
	SchedulerType                         string // rr or fifo
	SchedulerPriority                     int
}

// advancedSettings are the entries of the table for [Advanced].
func advancedSettings() []Setting {
	return slices.Concat(grouped(ModeGroup, transportSettings()), grouped(ModeGroup, modeSettings()), grouped(ScopeGroup, filterSettings()), grouped(LimitGroup, generalSettings()))
}

// Told reports whether the setting is worth a line where not everything is said: an
// advanced one has to differ from what conntrackd does by itself and from what a new
// file has on the host.
func (s Setting) Told(in Settings, h Host) bool {
	text := s.Value.text(in)
	switch {
	case s.Optional && (text == "" || text == DefaultWord), slices.Contains(s.Usual, text):
		return false
	case s.computed != nil:
		return s.Value.held(in) != any(s.computed(h, in))
	}
	return true
}

// Told are the settings of the table that are [Setting.Told], in its order.
func (t SettingTable) Told(in Settings, h Host) []Setting {
	return slices.DeleteFunc(slices.Clone(t), func(e Setting) bool { return !e.Told(in, h) })
}

// Settle takes out of v those saved values that mean nothing beside the others any
// more, such as a queue of a mode that is another now. given tells what was given: a
// value that was given and means nothing is a problem of its own.
func (t SettingTable) Settle(v Values, given func(Field) bool) Values {
	var s Settings // what cannot be used counts here, too
	for _, e := range t {
		e.Value.read(&s, trim(v[e.Field]))
	}
	for _, e := range t {
		if text := v[e.Field]; e.takes != nil && !e.takes(s) && text != "" && !given(e.Field) {
			v = v.With(e.Field, "")
		}
	}
	return v
}

// OnHost is s with what the words for a default come to on the host, and without the
// host's own addresses among those that are ignored by hand.
func (s Settings) OnHost(h Host) Settings {
	for _, e := range settingTable() {
		if e.computed != nil && e.Value.held(s) == any(typed.DefaultNumber) {
			e.Value.read(&s, typed.FormatNumber(e.computed(h, s)))
		}
	}
	if s.IgnoreAddresses == "" || s.IgnoreAddresses == DefaultWord {
		return s
	}
	own := map[netip.Prefix]bool{}
	for _, a := range h.ignored(s) {
		own[netip.PrefixFrom(a, a.BitLen())] = true
	}
	var byHand []string
	for text := range strings.SplitSeq(s.IgnoreAddresses, ",") {
		if p, ok := network(text); !ok || !own[p] {
			byHand = append(byHand, text)
		}
	}
	s.IgnoreAddresses = strings.Join(byHand, ",")
	return s
}

// optionalNumber is a number that the file may leave to the daemon.
func optionalNumber(at func(*Settings) *int, what string, least, most int) Value[int] {
	return Value[int]{
		At: at, Format: typed.FormatNumber,
		Parse: func(text string, _ Settings) (int, string) { return typed.Number(text, what, least, most) },
	}
}

// optionalWord is one of the words that the file may leave to the daemon.
func optionalWord(at func(*Settings) *string, what string, words []string) Value[string] {
	return Value[string]{
		At: at, Format: func(word string) string { return word },
		Parse: func(text string, _ Settings) (string, string) { return typed.Word(text, what, words) },
	}
}

// optionalList is a list that the file may leave to the daemon; one reads an item.
func optionalList(at func(*Settings) *string, one func(string) (string, string), whole func(list string) (problem string)) Value[string] {
	return Value[string]{
		At: at, Format: func(list string) string { return list },
		Parse: func(text string, _ Settings) (string, string) {
			if strings.EqualFold(text, DefaultWord) {
				return DefaultWord, ""
			}
			list, problem := typed.List(text, one)
			if problem == "" && whole != nil {
				problem = whole(list)
			}
			if problem != "" {
				return "", problem
			}
			return list, ""
		},
	}
}

// placeAdvanced is behind the directives of the link: what is ignored by hand depends on
// its addresses.
const placeAdvanced = 10

// optional is a directive of one value that may be missing. standard is the value that
// takes it out of the file; read gives the zero value for what the daemon passes over.
func optional[T comparable](in section, keyword string, at func(*Settings) *T, standard T, read func(f *File, n *node) T, write func(T) string) *directive {
	var none T
	return &directive{
		in: in, place: placeAdvanced,
		read: func(f *File, inBlock []*node, s *Settings) {
			if n := last(inBlock, keyword); n != nil && len(n.args) > 0 {
				*at(s) = read(f, n)
			}
		},
		write: func(m *merge) {
			switch v := *at(&m.s); v {
			case none:
			case standard:
				m.takeOut(in, keyword)
			default:
				m.value(in, keyword, write(v), func(n *node) bool { return read(m.f, n) == v })
			}
		},
		same: func(a, b Settings) bool {
			was, wanted := *at(&a), *at(&b)
			return wanted == none || wanted == standard && was == none || was == wanted
		},
	}
}

// positive is a number above zero; the daemon takes others for not set.
func positive(f *File, n *node) int { return max(atoi(f.arg(n, 0)), 0) }

func optionalNumberDirective(in section, keyword string, at func(*Settings) *int) *directive {
	return optional(in, keyword, at, typed.DefaultNumber, positive, typed.FormatNumber)
}

// onOffDirective is one of the words on and off.
func onOffDirective(in section, keyword string, at func(*Settings) *string) *directive {
	read := func(f *File, n *node) string { return onOff(f.argKind(n) == kindOn) }
	return optional(in, keyword, at, DefaultWord, read, func(word string) string { return word })
}

// value sets a directive, and makes the block that it stands in where there is none.
func (m *merge) value(in section, keyword, text string, inForce func(*node) bool) {
	block, n := m.find(in, keyword)
	switch {
	case n != nil && inForce(n):
	case n != nil:
		m.f.setArg(n, text)
	case block != nil:
		m.f.insert(block, keyword+" "+text)
	case in == inOptions:
		m.f.insert(last(m.f.top, "Sync"), "Options {", "\t"+keyword+" "+text, "}")
	case in == inScheduler:
		m.f.insert(last(m.f.top, "General"), "Scheduler {", "\t"+keyword+" "+text, "}")
	}
}

// takeOut removes a directive wherever it stands in the section, and the small block
// that has nothing else.
func (m *merge) takeOut(in section, keyword string) {
	for {
		block, n := m.find(in, keyword)
		if n == nil {
			return
		}
		m.f.remove(n)
		m.f.reparse()
		if in != inOptions && in != inScheduler || block == nil {
			continue
		}
		if block = m.f.block(in); block != nil && len(block.children) == 0 && strings.TrimSpace(m.f.toks[block.last].lead) == "" {
			m.f.remove(block)
		}
	}
}

// network reads an address or a network of a filter.
func network(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(text)
	return netip.PrefixFrom(a, a.BitLen()), err == nil && a.Zone() == ""
}

// sameList compares lists whatever their order.
func sameList(a, b string) bool {
	if a == b {
		return true // which it mostly is, and may be long
	}
	x, y := strings.Split(a, ","), strings.Split(b, ",")
	slices.SortFunc(x, cmp.Compare)
	slices.SortFunc(y, cmp.Compare)
	return slices.Equal(x, y)
}
