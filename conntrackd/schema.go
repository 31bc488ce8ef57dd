package conntrackd

// section is a place in the file where a directive may stand.
type section uint8

const (
	inFile section = iota
	inSync
	inAlarm
	inFTFW
	inNotrack
	inMulticast
	inUDP
	inTCP
	inOptions
	inExpect
	inGeneral
	inUnix
	inScheduler
	inFilter
	inProtocols
	inAddresses
	inStates
	inStats
	inHelper
	inHelperType
	inPolicy
	noBlock section = 0 // of a shape: no block follows, for none is inFile
)

// shape is one way in which a directive may be completed: a fixed number of
// values and perhaps a block. Newlines mean nothing, so that the shape alone
// says where a directive ends.
type shape struct {
	args  []arg
	block section
}

// arg is one value: a word of the language, or any token of a kind.
type arg struct {
	word string
	kind kind
}

// rule is a directive of the language.
type rule struct {
	keyword string
	in      []section
	shapes  []shape
	// alias is the name under which the daemon files the same setting.
	alias string
	// since and until are versions of conntrack-tools; blank means any that
	// is in use (1.4.5 and later). In until it is deprecated, not refused.
	since, until string
	help         string
}

func take(args ...arg) shape             { return shape{args: args} }
func block(b section, args ...arg) shape { return shape{args: args, block: b} }
func literal(w string) arg               { return arg{word: w, kind: kindKeyword} }
func one(k kind) arg                     { return arg{kind: k} }
func each(ks ...kind) (s []shape)        { return eachOf(ks) }
func link(b section) []shape             { return []shape{block(b), block(b, literal("Default"))} }
func acceptOrIgnore(b section) []shape {
	return []shape{block(b, literal("Accept")), block(b, literal("Ignore"))}
}
func places(s ...section) []section { return s }
func flag(k, help string, in ...section) rule {
	return rule{keyword: k, in: in, shapes: each(kindOn, kindOff), help: help}
}
func number(k, help string, in ...section) rule {
	return rule{keyword: k, in: in, shapes: each(kindNumber), help: help}
}
func address(k, help string, in ...section) rule {
	return rule{keyword: k, in: in, shapes: each(kindAddress), help: help}
}

func eachOf(ks []kind) (s []shape) {
	for _, k := range ks {
		s = append(s, take(one(k)))
	}
	return s
}

func aliasOf(canonical string, r rule) rule { r.alias = canonical; return r }
func sinceVersion(v string, r rule) rule    { r.since = v; return r }
func untilVersion(v string, r rule) rule    { r.until = v; return r }

// items says which kind of bare word a section lists.
var items = map[section]kind{inExpect: kindString, inProtocols: kindString}

// schema is the grammar of read_config_yy.y, 1.4.5 to 1.4.9.
var schema = []rule{
	{keyword: "Sync", in: places(inFile), shapes: []shape{block(inSync)}, help: "synchronise the states with a peer"},
	{keyword: "General", in: places(inFile), shapes: []shape{block(inGeneral)}, help: "what every way of running needs"},
	{keyword: "Stats", in: places(inFile), shapes: []shape{block(inStats)}, help: "log finished flows; excludes Sync"},
	{keyword: "Helper", in: places(inFile), shapes: []shape{block(inHelper)}, help: "connection tracking helpers in user space"},

	{keyword: "Mode", in: places(inSync), shapes: []shape{
		block(inAlarm, one(kindAlarm)), block(inFTFW, one(kindFTFW)), block(inNotrack, one(kindNotrack)),
	}, help: "how reliably states are sent"},
	number("RefreshTime", "seconds between two sendings of a state", inSync, inAlarm),
	number("CacheTimeout", "seconds after which an unrefreshed state of the peer goes", inSync, inAlarm),
	number("CommitTimeout", "seconds that a committed state lives at least", inSync, inAlarm, inFTFW, inNotrack),
	number("PurgeTimeout", "seconds until a node that steps back clears its table", inSync, inAlarm, inFTFW, inNotrack),
	number("ResendQueueSize", "messages kept until they are acknowledged", inFTFW),
	number("ACKWindowSize", "messages received per acknowledgement", inFTFW),
	flag("DisableInternalCache", "send states straight from the kernel", inNotrack),
	flag("DisableExternalCache", "write the peer's states straight into the kernel", inFTFW, inNotrack),
	sinceVersion("1.4.5", flag("StartupResync", "ask the peer for its states at start", inFTFW, inNotrack)),

	{keyword: "Multicast", in: places(inSync), shapes: link(inMulticast), help: "dedicated link by multicast"},
	{keyword: "UDP", in: places(inSync), shapes: link(inUDP), help: "dedicated link by UDP"},
	{keyword: "TCP", in: places(inSync), shapes: link(inTCP), help: "dedicated link by TCP"},
	address("IPv4_address", "this node's address, or the group", inMulticast, inUDP, inTCP, inAddresses),
	address("IPv6_address", "this node's address, or the group", inMulticast, inUDP, inTCP, inAddresses),
	address("IPv4_interface", "address of the interface", inMulticast),
	untilVersion("1.4.5", address("IPv6_interface", "not needed", inMulticast)),
	address("IPv4_Destination_Address", "the peer's address", inUDP, inTCP),
	address("IPv6_Destination_Address", "the peer's address", inUDP, inTCP),
	number("Port", "UDP or TCP port, the same on both nodes", inUDP, inTCP),
	number("Group", "UDP port of the group", inMulticast),
	{keyword: "Interface", in: places(inMulticast, inUDP, inTCP), shapes: each(kindString), help: "the dedicated interface"},
	number("SndSocketBuffer", "bytes of send buffer; the kernel doubles it", inMulticast, inUDP, inTCP),
	number("RcvSocketBuffer", "bytes of receive buffer; the kernel doubles it", inMulticast, inUDP, inTCP),
	flag("Checksum", "checksum of the datagrams", inMulticast, inUDP, inTCP),
	number("ErrorQueueLength", "messages kept while the link is congested", inTCP),

	{keyword: "Options", in: places(inSync), shapes: []shape{block(inOptions)}, help: "what is synchronised beside the states"},
	flag("TCPWindowTracking", "send TCP windows, too", inOptions),
	{keyword: "ExpectationSync", in: places(inOptions), shapes: append(each(kindOn, kindOff), block(inExpect)),
		help: "send expectations of helpers"},

	number("HashSize", "buckets of the caches", inGeneral),
	number("HashLimit", "states that a cache may hold", inGeneral),
	{keyword: "LogFile", in: places(inGeneral, inStats), shapes: each(kindOn, kindOff, kindPath), help: "log file"},
	{keyword: "Syslog", in: places(inGeneral, inStats), shapes: each(kindOn, kindOff, kindString), help: "syslog and its facility"},
	{keyword: "LockFile", in: places(inGeneral), shapes: each(kindPath), help: "file that keeps a second daemon away"},
	{keyword: "UNIX", in: places(inGeneral), shapes: []shape{block(inUnix)}, help: "control socket"},
	{keyword: "Path", in: places(inUnix), shapes: each(kindPath), help: "path of the control socket; what stands there is removed"},
	untilVersion("1.4.5", number("Backlog", "without effect", inUnix)),
	number("NetlinkBufferSize", "bytes of buffer for the kernel's events", inGeneral),
	aliasOf("NetlinkBufferSize", number("SocketBufferSize", "NetlinkBufferSize", inGeneral)),
	number("NetlinkBufferSizeMaxGrowth", "bytes up to which that buffer grows", inGeneral),
	aliasOf("NetlinkBufferSizeMaxGrowth", number("SocketBufferSizeMaxGrowth", "NetlinkBufferSizeMaxGrowth", inGeneral)),
	aliasOf("NetlinkBufferSizeMaxGrowth", number("SocketBufferSizeMaxGrown", "NetlinkBufferSizeMaxGrowth", inGeneral)),
	{keyword: "NetlinkOverrunResync", in: places(inGeneral), shapes: each(kindOn, kindOff, kindNumber),
		help: "seconds after lost events until the kernel's table is read again"},
	flag("NetlinkEventsReliable", "let the kernel drop packets instead of events", inGeneral),
	number("EventIterationLimit", "events handled in one go", inGeneral),
	number("PollSecs", "poll the kernel instead of listening", inGeneral),
	untilVersion("1.4.5", rule{keyword: "Nice", in: places(inGeneral), shapes: each(kindSigned), help: "without effect"}),
	flag("Systemd", "tell systemd when ready", inGeneral),
	{keyword: "Scheduler", in: places(inGeneral), shapes: []shape{block(inScheduler)}, help: "real-time scheduling"},
	number("Priority", "0 to 99", inScheduler),
	{keyword: "Type", in: places(inScheduler), shapes: each(kindString), help: "rr or fifo"},

	{keyword: "Filter", in: places(inGeneral), shapes: []shape{
		block(inFilter), block(inFilter, literal("From"), literal("Userspace")), block(inFilter, literal("From"), literal("Kernelspace")),
	}, help: "which states count"},
	{keyword: "Protocol", in: places(inFilter), shapes: acceptOrIgnore(inProtocols), help: "by protocol, as in /etc/protocols"},
	{keyword: "Address", in: places(inFilter), shapes: acceptOrIgnore(inAddresses), help: "by address of either end"},
	{keyword: "State", in: places(inFilter), shapes: acceptOrIgnore(inStates), help: "by TCP state"},
	{keyword: "TCP", in: places(inProtocols), shapes: []shape{take()}, help: "TCP"},
	{keyword: "UDP", in: places(inProtocols), shapes: []shape{take()}, help: "UDP"},
	{keyword: "for", in: places(inStates), shapes: []shape{take(literal("TCP"))}, help: "ends the list of states"},
	state("SYN_SENT"), state("SYN_RECV"), state("ESTABLISHED"), state("FIN_WAIT"), state("CLOSE_WAIT"),
	state("LAST_ACK"), state("TIME_WAIT"), state("CLOSED"), aliasOf("CLOSED", state("CLOSE")), state("LISTEN"),

	{keyword: "Type", in: places(inHelper, inHelperType), shapes: []shape{
		block(inHelperType, one(kindString), one(kindString), one(kindString)),
	}, help: "helper, inet or inet6, tcp or udp"},
	sinceVersion("1.4.7", flag("Setup", "load the helpers' rules at start", inHelper)),
	number("QueueNum", "number of the packet queue", inHelper, inHelperType),
	number("QueueLen", "packets in the queue", inHelper, inHelperType),
	{keyword: "Policy", in: places(inHelper, inHelperType), shapes: []shape{block(inPolicy, one(kindString))},
		help: "limits of one expectation class"},
	number("ExpectMax", "expectations per connection", inPolicy),
	number("ExpectTimeout", "seconds that an expectation lives", inPolicy),
}

func state(name string) rule {
	return rule{keyword: name, in: places(inStates), shapes: []shape{take()}, help: "a TCP state"}
}

// lookup is the schema by place and keyword.
var lookup = func() map[section]map[string]*rule {
	byPlace := map[section]map[string]*rule{}
	for i := range schema {
		for _, s := range schema[i].in {
			if byPlace[s] == nil {
				byPlace[s] = map[string]*rule{}
			}
			byPlace[s][schema[i].keyword] = &schema[i]
		}
	}
	return byPlace
}()

// keywords are the words that the lexer knows in exactly this writing. They
// are words of the language everywhere: none can be a name.
var keywords = func() map[string]struct{} {
	set := map[string]struct{}{"Default": {}, "From": {}, "Userspace": {}, "Kernelspace": {}, "Accept": {}, "Ignore": {}}
	for _, r := range schema {
		set[r.keyword] = struct{}{}
	}
	return set
}()

// longestKeyword keeps a megabyte of letters from being looked up.
const longestKeyword = len("NetlinkBufferSizeMaxGrowth")

// name is the keyword under which the daemon files the directive.
func (r *rule) name() string {
	if r.alias != "" {
		return r.alias
	}
	return r.keyword
}
