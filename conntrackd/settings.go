package conntrackd

import (
	"net/netip"

	"connsync/conntrackd/typed"
)

// Field names one setting. It is the key of a [Problem], the member name in
// JSON and, as [Field.Flag], the flag on the command line.
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
	// the kernel doubles them. Zero is not given; [SystemBuffer] means that
	// the file leaves them out, or sets zero, so that the kernel has its own size.
	SendBuffer    int
	ReceiveBuffer int
	// ExternalCache keeps the peer's states in the daemon until a failover
	// script commits them. False writes them straight into the kernel table
	// (DisableExternalCache on).
	ExternalCache bool
	// SpareLinks are those to which the daemon goes over when the link fails.
	SpareLinks SpareLinks
	Advanced
}

// SystemBuffer is the size of a buffer that a file leaves to the kernel, and
// SystemBufferWord how it is typed.
const (
	SystemBuffer     = typed.SystemBuffer
	SystemBufferWord = typed.SystemBufferWord
)

// Defaults returns the settings of a host on which nothing has been set.
func Defaults() Settings { return settingTable().Defaults() }

// Values returns s as text by [NewSettingTable]; see [SettingTable.Values].
func (s Settings) Values() Values { return settingTable().Values(s) }

// Settings converts v by [NewSettingTable]; see [SettingTable.Settings].
func (v Values) Settings() (Settings, []Problem) { return settingTable().Settings(v) }

// validate returns the problems of the values by [NewSettingTable]; see
// SettingTable.validate.
func (s Settings) validate() []Problem { return settingTable().validate(s) }

// withDefaults fills in what is not set by [NewSettingTable]; see
// [SettingTable.WithDefaults].
func (s Settings) withDefaults() Settings { return settingTable().WithDefaults(s) }

// Complete reports whether s has a sync link, enabled or not: what it lies on, where it
// goes, and nothing of it that no link can have. A file need not record the prefix
// lengths, and its other settings may have values that could not be saved: the daemon
// runs with them all the same.
func (s Settings) Complete() bool { return len(s.Missing()) == 0 }

// Missing are the settings that keep s from being [Settings.Complete], in the order of
// the table: those that are not set, and those with a value that no link can have.
func (s Settings) Missing() []Field {
	link := s.withDefaults().withLengths()
	link.Enabled, link.Port = true, s.Port
	var missing []Field
	for _, p := range link.validate() {
		switch p.Field {
		case FieldInterface, FieldCurrentIP, FieldPeerIP, FieldPort, FieldTransport, FieldMulticastGroup:
			missing = append(missing, p.Field)
		}
	}
	return missing
}

// withLengths gives each address whose prefix length is not known that of a single
// one.
func (s Settings) withLengths() Settings {
	lengths := []*netip.Prefix{&s.Current, &s.Peer}
	for i := range s.SpareLinks {
		lengths = append(lengths, &s.SpareLinks[i].Current, &s.SpareLinks[i].Peer)
	}
	for _, p := range lengths {
		if a := p.Addr(); p.Bits() < 0 && a.IsValid() {
			*p = netip.PrefixFrom(a, a.BitLen())
		}
	}
	return s
}

// Problem is one reason why one field's value cannot be used.
type Problem struct {
	Field   Field
	Message string // a sentence that names the rule and what to type instead
}
