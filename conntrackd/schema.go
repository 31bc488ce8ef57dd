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
func flag(k string, in ...section) rule {
	return rule{keyword: k, in: in, shapes: each(kindOn, kindOff)}
}
func number(k string, in ...section) rule {
	return rule{keyword: k, in: in, shapes: each(kindNumber)}
}
func address(k string, in ...section) rule {
	return rule{keyword: k, in: in, shapes: each(kindAddress)}
}

func eachOf(ks []kind) (s []shape) {
	for _, k := range ks {
		s = append(s, take(one(k)))
	}
	return s
}

func aliasOf(canonical string, r rule) rule { r.alias = canonical; return r }

// items says which kind of bare word a section lists.
var items = map[section]kind{inExpect: kindString, inProtocols: kindString}

// schema is the grammar of read_config_yy.y, 1.4.5 to 1.4.9.
var schema = []rule{
	{keyword: "Sync", in: places(inFile), shapes: []shape{block(inSync)}},
	{keyword: "General", in: places(inFile), shapes: []shape{block(inGeneral)}},
	{keyword: "Stats", in: places(inFile), shapes: []shape{block(inStats)}},
	{keyword: "Helper", in: places(inFile), shapes: []shape{block(inHelper)}},

	{keyword: "Mode", in: places(inSync), shapes: []shape{
		block(inAlarm, one(kindAlarm)), block(inFTFW, one(kindFTFW)), block(inNotrack, one(kindNotrack)),
	}},
	number("RefreshTime", inSync, inAlarm),
	number("CacheTimeout", inSync, inAlarm),
	number("CommitTimeout", inSync, inAlarm, inFTFW, inNotrack),
	number("PurgeTimeout", inSync, inAlarm, inFTFW, inNotrack),
	number("ResendQueueSize", inFTFW),
	number("ACKWindowSize", inFTFW),
	flag("DisableInternalCache", inNotrack),
	flag("DisableExternalCache", inFTFW, inNotrack),
	flag("StartupResync", inFTFW, inNotrack),

	{keyword: "Multicast", in: places(inSync), shapes: link(inMulticast)},
	{keyword: "UDP", in: places(inSync), shapes: link(inUDP)},
	{keyword: "TCP", in: places(inSync), shapes: link(inTCP)},
	address("IPv4_address", inMulticast, inUDP, inTCP, inAddresses),
	address("IPv6_address", inMulticast, inUDP, inTCP, inAddresses),
	address("IPv4_interface", inMulticast),
	address("IPv6_interface", inMulticast), // not needed, deprecated
	address("IPv4_Destination_Address", inUDP, inTCP),
	address("IPv6_Destination_Address", inUDP, inTCP),
	number("Port", inUDP, inTCP),
	number("Group", inMulticast),
	{keyword: "Interface", in: places(inMulticast, inUDP, inTCP), shapes: each(kindString)},
	number("SndSocketBuffer", inMulticast, inUDP, inTCP),
	number("RcvSocketBuffer", inMulticast, inUDP, inTCP),
	flag("Checksum", inMulticast, inUDP, inTCP),
	number("ErrorQueueLength", inTCP),

	{keyword: "Options", in: places(inSync), shapes: []shape{block(inOptions)}},
	flag("TCPWindowTracking", inOptions),
	{keyword: "ExpectationSync", in: places(inOptions), shapes: append(each(kindOn, kindOff), block(inExpect))},

	number("HashSize", inGeneral),
	number("HashLimit", inGeneral),
	{keyword: "LogFile", in: places(inGeneral, inStats), shapes: each(kindOn, kindOff, kindPath)},
	{keyword: "Syslog", in: places(inGeneral, inStats), shapes: each(kindOn, kindOff, kindString)},
	{keyword: "LockFile", in: places(inGeneral), shapes: each(kindPath)},
	{keyword: "UNIX", in: places(inGeneral), shapes: []shape{block(inUnix)}},
	{keyword: "Path", in: places(inUnix), shapes: each(kindPath)},
	number("Backlog", inUnix), // without effect, deprecated
	number("NetlinkBufferSize", inGeneral),
	aliasOf("NetlinkBufferSize", number("SocketBufferSize", inGeneral)),
	number("NetlinkBufferSizeMaxGrowth", inGeneral),
	aliasOf("NetlinkBufferSizeMaxGrowth", number("SocketBufferSizeMaxGrowth", inGeneral)),
	aliasOf("NetlinkBufferSizeMaxGrowth", number("SocketBufferSizeMaxGrown", inGeneral)),
	{keyword: "NetlinkOverrunResync", in: places(inGeneral), shapes: each(kindOn, kindOff, kindNumber)},
	flag("NetlinkEventsReliable", inGeneral),
	number("EventIterationLimit", inGeneral),
	number("PollSecs", inGeneral),
	{keyword: "Nice", in: places(inGeneral), shapes: each(kindSigned)}, // without effect, deprecated
	flag("Systemd", inGeneral),
	{keyword: "Scheduler", in: places(inGeneral), shapes: []shape{block(inScheduler)}},
	number("Priority", inScheduler),
	{keyword: "Type", in: places(inScheduler), shapes: each(kindString)},

	{keyword: "Filter", in: places(inGeneral), shapes: []shape{
		block(inFilter), block(inFilter, literal("From"), literal("Userspace")), block(inFilter, literal("From"), literal("Kernelspace")),
	}},
	{keyword: "Protocol", in: places(inFilter), shapes: acceptOrIgnore(inProtocols)},
	{keyword: "Address", in: places(inFilter), shapes: acceptOrIgnore(inAddresses)},
	{keyword: "State", in: places(inFilter), shapes: acceptOrIgnore(inStates)},
	{keyword: "TCP", in: places(inProtocols), shapes: []shape{take()}},
	{keyword: "UDP", in: places(inProtocols), shapes: []shape{take()}},
	{keyword: "for", in: places(inStates), shapes: []shape{take(literal("TCP"))}},
	state("SYN_SENT"), state("SYN_RECV"), state("ESTABLISHED"), state("FIN_WAIT"), state("CLOSE_WAIT"),
	state("LAST_ACK"), state("TIME_WAIT"), state("CLOSED"), aliasOf("CLOSED", state("CLOSE")), state("LISTEN"),

	{keyword: "Type", in: places(inHelper, inHelperType), shapes: []shape{
		block(inHelperType, one(kindString), one(kindString), one(kindString)),
	}},
	flag("Setup", inHelper), // since 1.4.7
	number("QueueNum", inHelper, inHelperType),
	number("QueueLen", inHelper, inHelperType),
	{keyword: "Policy", in: places(inHelper, inHelperType), shapes: []shape{block(inPolicy, one(kindString))}},
	number("ExpectMax", inPolicy),
	number("ExpectTimeout", inPolicy),
}

func state(name string) rule {
	return rule{keyword: name, in: places(inStates), shapes: []shape{take()}}
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
