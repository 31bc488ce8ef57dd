// Package conntrackd knows the conntrackd daemon: its configuration file, its
// service, its control socket and its health. It knows nothing of the network
// around the host and nothing of the screen.
package conntrackd

import "net/netip"

// Field names one setting. It is the key of a [Problem], the member name in
// JSON and, with "-" for "_", the flag on the command line.
type Field string

// The settings, in the order in which they are asked for and shown.
const (
	FieldEnabled       Field = "enabled"
	FieldInterface     Field = "interface"
	FieldCurrentIP     Field = "current_ip"
	FieldPeerIP        Field = "peer_ip"
	FieldPort          Field = "port"
	FieldSendBuffer    Field = "send_buffer"
	FieldReceiveBuffer Field = "receive_buffer"
	FieldExternalCache Field = "external_cache"
)

// Defaults of the settings that are not left blank.
const (
	DefaultPort        = 3780
	DefaultBufferBytes = 65536
)

// Settings are the values that one node of a pair needs. The zero value is
// "disabled, nothing known"; [Defaults] is what a fresh host starts from.
type Settings struct {
	// Enabled says whether the daemon runs now and at boot. It is not part of
	// the configuration file: the service carries it.
	Enabled bool
	// Interface is the name of the dedicated sync interface.
	Interface string
	// Current is this node's address on Interface. Bits() is -1 when the
	// configuration file does not record the prefix length.
	Current netip.Prefix
	// Peer is the other node's address; Bits() as in Current.
	Peer netip.Prefix
	// Port is the UDP port, the same on both nodes.
	Port uint16
	// SendBuffer and ReceiveBuffer are what is asked of the kernel, in bytes;
	// the kernel doubles them. Zero means that the file does not set them.
	SendBuffer    int
	ReceiveBuffer int
	// ExternalCache keeps the peer's states in the daemon until a failover
	// script commits them. False writes them straight into the kernel table
	// (DisableExternalCache on).
	ExternalCache bool
}

// Defaults returns the settings of a host on which nothing has been set.
func Defaults() Settings {
	return Settings{Port: DefaultPort, SendBuffer: DefaultBufferBytes, ReceiveBuffer: DefaultBufferBytes}
}

// Values are settings as text, as typed into a form or given to a flag. Blank
// means not given.
type Values struct {
	Enabled       string // "enable" or "disable"; on, off, yes, no, true, false are understood
	Interface     string
	CurrentIP     string
	PeerIP        string
	Port          string
	SendBuffer    string
	ReceiveBuffer string
	ExternalCache string // "on" or "off"
}

// Problem is one reason why one field's value cannot be used.
type Problem struct {
	Field   Field
	Message string // a sentence that names the rule and what to type instead
}
