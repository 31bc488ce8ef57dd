package conntrackd

// keywords are the words that read_config_lex.l knows in exactly this writing.
// They are words of the language everywhere: none can be a name.
var keywords = func() map[string]struct{} {
	set := map[string]struct{}{}
	for _, k := range []string{
		"UNIX", "IPv4_address", "IPv6_address", "IPv4_Destination_Address", "IPv6_Destination_Address",
		"IPv4_interface", "IPv6_interface", "Interface", "Multicast", "UDP", "TCP", "HashSize", "RefreshTime",
		"CacheTimeout", "CommitTimeout", "HashLimit", "Path", "Backlog", "Group", "Port", "LogFile", "Syslog",
		"LockFile", "General", "Sync", "Stats", "SocketBufferSize", "SocketBufferSizeMaxGrown",
		"SocketBufferSizeMaxGrowth", "NetlinkBufferSize", "NetlinkBufferSizeMaxGrowth", "Mode", "ResendQueueSize",
		"Checksum", "ACKWindowSize", "for", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT",
		"LAST_ACK", "TIME_WAIT", "CLOSE", "CLOSED", "LISTEN", "SndSocketBuffer", "RcvSocketBuffer", "Filter",
		"Protocol", "Address", "State", "Accept", "Ignore", "PurgeTimeout", "From", "Userspace", "Kernelspace",
		"EventIterationLimit", "Default", "PollSecs", "NetlinkOverrunResync", "Nice", "Scheduler", "Type",
		"Priority", "NetlinkEventsReliable", "DisableInternalCache", "DisableExternalCache", "Options",
		"TCPWindowTracking", "ExpectationSync", "ErrorQueueLength", "Helper", "QueueNum", "QueueLen", "Policy",
		"ExpectMax", "ExpectTimeout", "Setup", "Systemd", "StartupResync",
	} {
		set[k] = struct{}{}
	}
	return set
}()

// longestKeyword keeps a megabyte of letters from becoming a map key.
const longestKeyword = len("NetlinkBufferSizeMaxGrowth")
