package conntrackd

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"connsync/conntrackd/typed"
)

// Defaults of the settings that are not left blank.
const (
	defaultPort        = 3780
	defaultBufferBytes = 65536
)

// NewSettingTable returns the settings of this program. A new one is a member of
// [Settings] and an entry here; where the file has it, its directive is a line
// of the schema.
func NewSettingTable() SettingTable { return slices.Clone(settingTable()) }

// Enabling returns t with what Enable Sync does on this host: in a few words, and in
// sentences.
func (t SettingTable) Enabling(hint, does string) SettingTable {
	t = slices.Clone(t)
	for i := range t {
		if t[i].Field == FieldEnabled {
			t[i].Hint, t[i].About = hint, append([]string{does + " " + settingsStay}, t[i].About[1:]...)
		}
	}
	return t
}

// settingsStay is said of Disable.
const settingsStay = "The settings stay in the file, so that enabling again needs no typing."

// settingTable is the table that every reading and writing of a file shares. Callers do
// not change it; [NewSettingTable] returns a copy.
func settingTable() SettingTable {
	made.Do(func() {
		made.table = append(SettingTable{
			enabledSetting(), interfaceSetting(), currentSetting(), peerSetting(),
			portSetting(), sendBufferSetting(), receiveBufferSetting(), externalCacheSetting(),
			spareLinksSetting(),
		}, advancedSettings()...)
	})
	return made.table
}

// made is the table as the first caller had it made.
var made struct {
	sync.Once
	table SettingTable
}

func enabledSetting() Setting {
	return Setting{
		Field: FieldEnabled, Label: "Enable Sync", Short: "Enable Sync",
		Kind: SwitchSetting, Words: []string{"enable", "disable"},
		Hint:     "conntrackd runs now and at boot, or not at all.",
		Standard: "Disable", Example: "Enable",
		About: []string{
			"Enable starts conntrackd now and at every boot; Disable stops it, now and at boot. " + settingsStay,
			"Both nodes have to be enabled. With one alone nothing is replicated.",
		},
		Value: switchValue(func(s *Settings) *bool { return &s.Enabled }, typed.Enabled, "enable", "disable"),
	}
}

func interfaceSetting() Setting {
	return Setting{
		Field: FieldInterface, Label: "Interface Name", Short: "Interface", Kind: InterfaceSetting, Required: true,
		Usage:    "dedicated sync interface, such as eth1",
		Hint:     "for sync alone. Enter lists them, or type a name.",
		Standard: "none", Example: "ens192",
		About: []string{
			"The interface that the two nodes are connected by for the sync. It should be dedicated to it (ens33, ens192, bond0, eth1), not the one that carries production traffic: sync bursts and traffic bursts come together.",
			"A name that is typed has letters, digits, dot, dash and underscore, beginning with a letter, at most 15. A name that is one to four hexadecimal digits (fe0, e1) cannot be read by conntrackd.",
		},
		Value: Value[string]{
			At:     func(s *Settings) *string { return &s.Interface },
			Parse:  func(text string, _ Settings) (string, string) { return text, "" },
			Format: func(name string) string { return name },
		},
		Rule:      Settings.interfaceProblem,
		directive: interfaceDirective(),
	}
}

func currentSetting() Setting {
	at := func(s *Settings) *netip.Prefix { return &s.Current }
	return Setting{
		Field: FieldCurrentIP, Label: "Current IP", Short: "Current IP", Kind: AddressSetting, Required: true,
		Usage:    "`address` of this node on the sync link, with prefix length, such as 10.0.0.101/24",
		Hint:     "with prefix length, an address of the interface.",
		Standard: "none; choosing an interface fills it in", Example: "10.0.0.101/24",
		About: []string{
			"The address of this node on the sync interface, with prefix length, IPv4 or IPv6. conntrackd binds to it, so it has to be assigned to the interface.",
		},
		Value: addressValue(at),
		Rule: func(s Settings) string {
			return s.addressProblem(s.Current, "this node's address on the sync interface", 101)
		},
		directive: byTransport(addressDirective("%s_address", 0, at), currentOfGroup()),
	}
}

func peerSetting() Setting {
	at := func(s *Settings) *netip.Prefix { return &s.Peer }
	return Setting{
		Field: FieldPeerIP, Label: "Peer IP", Short: "Peer IP", Kind: AddressSetting, Required: true,
		Usage:    "`address` of the other node, such as 10.0.0.102/24",
		Hint:     "the other node, in the same subnet, with prefix length.",
		Standard: "none", Example: "10.0.0.102/24",
		About: []string{
			"The address of the other node on the sync link, with prefix length: in the same subnet as Current IP and reachable through the sync interface, without a gateway.",
		},
		Value: addressValue(at),
		Rule: func(s Settings) string {
			return s.addressProblem(s.Peer, "the peer's address on the sync link", 102)
		},
		directive: byTransport(addressDirective("%s_Destination_Address", 1, at), peerOfGroup()),
	}
}

func portSetting() Setting {
	at := func(s *Settings) *uint16 { return &s.Port }
	return Setting{
		Field: FieldPort, Label: "Port", Short: "Port", Kind: NumberSetting, Required: true, Shared: true,
		Usage:    fmt.Sprintf("UDP port, the same on both nodes (default %d)", defaultPort),
		Hint:     "UDP, 1-65535: free on this node, the same on both.",
		Standard: strconv.Itoa(defaultPort), Example: strconv.Itoa(defaultPort),
		About: []string{
			"The UDP port of the sync, 1 to 65535. It has to be free on this node, the same on both nodes, and no firewall between or on them may block it.",
		},
		Value:     numberValue(at, typed.Port, defaultPort),
		Rule:      Settings.portProblem,
		directive: byTransport(numberDirective(inUDP, "Port", 2, "", at, port), numberDirective(inUDP, "Group", 2, "", at, port)),
	}
}

// What the help of both buffers says alike.
const (
	bufferUnits   = "128K and 1M are understood; system leaves the size to the kernel, as a file does that does not set it."
	bufferDoubled = "The kernel doubles what is asked for: 65536 gives 131072 in force"
	bufferHeld    = "262144 held through every stall that was measured."
)

func sendBufferSetting() Setting {
	at := func(s *Settings) *int { return &s.SendBuffer }
	return Setting{
		Field: FieldSendBuffer, Label: "Send Buffer Size", Short: "Send Buffer", Kind: BytesSetting, Required: true, Shared: true,
		Usage:    fmt.Sprintf("send buffer in `bytes`, such as 65536 or 128K (default %d)", defaultBufferBytes),
		Hint:     "bytes, or 128K. Raise it when sync drops messages.",
		Standard: strconv.Itoa(defaultBufferBytes), Example: "131072 or 128K",
		About: []string{
			"How many bytes of messages to the peer may wait in the kernel. 131072 or 262144 for high throughput; raise it when the sync drops messages. " + bufferUnits,
			bufferDoubled + ", which is less than the 212992 of a socket that asks for nothing. " + bufferHeld,
		},
		Value: bufferValue(at, defaultBufferBytes),
		Rule:  func(s Settings) string { return s.bufferProblem(s.SendBuffer, "send") },
		directive: bufferDirective("SndSocketBuffer", 4, `
# In bytes; the kernel doubles them. Raise both, on both nodes, when
# messages are lost.
`, at),
	}
}

func receiveBufferSetting() Setting {
	at := func(s *Settings) *int { return &s.ReceiveBuffer }
	return Setting{
		Field: FieldReceiveBuffer, Label: "Receive Buffer Size", Short: "Receive Buffer", Kind: BytesSetting, Required: true, Shared: true,
		Follows:  FieldSendBuffer,
		Usage:    fmt.Sprintf("receive buffer in `bytes`, the same on both nodes (default %d)", defaultBufferBytes),
		Hint:     "bytes. As the send buffer, the same on both nodes.",
		Standard: strconv.Itoa(defaultBufferBytes) + "; it follows the send buffer until it is edited", Example: "131072 or 128K",
		About: []string{
			"How many bytes of messages from the peer may wait in the kernel. It should equal the send buffer, and be the same on both nodes. " + bufferUnits,
			bufferDoubled + ". " + bufferHeld,
		},
		Value:     bufferValue(at, defaultBufferBytes),
		Rule:      func(s Settings) string { return s.bufferProblem(s.ReceiveBuffer, "receive") },
		Advice:    Settings.unequalBuffers,
		directive: bufferDirective("RcvSocketBuffer", 5, "", at),
	}
}

func externalCacheSetting() Setting {
	return Setting{
		Field: FieldExternalCache, Label: "External Cache", Short: "External Cache", Kind: SwitchSetting, Words: []string{"on", "off"},
		Advanced: true, Shared: true,
		Usage:    "`on` keeps the peer's states in the daemon until a failover script commits them; off puts them into the kernel (default off)",
		Hint:     "on where a failover script commits the peer's states.",
		Standard: "Off", Example: "On",
		About: []string{
			"On keeps the peer's states in the daemon, where no connection expires, until a failover script commits them: for a pair of which one node at a time forwards.",
			"Off writes them straight into the kernel's table: for a pair of which both nodes forward. It has to be the same on both nodes.",
		},
		Value:     switchValue(func(s *Settings) *bool { return &s.ExternalCache }, typed.Switch, "on", "off"),
		directive: externalCacheDirective(),
	}
}

func addressValue(at func(*Settings) *netip.Prefix) Value[netip.Prefix] {
	return Value[netip.Prefix]{
		At: at, Format: FormatPrefix,
		Parse: func(text string, before Settings) (netip.Prefix, string) {
			zone := before.Interface
			if before.interfaceProblem() != "" {
				zone = "" // a zone cannot be compared with a name that is no name
			}
			return typed.Address(text, zone)
		},
	}
}

func numberValue[T uint16 | int](at func(*Settings) *T, parse func(string) (T, string), standard T) Value[T] {
	return Value[T]{
		At: at, Default: standard,
		Parse:  func(text string, _ Settings) (T, string) { return parse(text) },
		Format: func(n T) string { return formatPositive(int(n)) },
	}
}

func bufferValue(at func(*Settings) *int, standard int) Value[int] {
	return Value[int]{
		At: at, Default: standard, Format: typed.FormatBufferSize,
		Parse: func(text string, _ Settings) (int, string) { return typed.BufferSize(text) },
	}
}

func switchValue(at func(*Settings) *bool, parse func(string) (bool, string), yes, no string) Value[bool] {
	return Value[bool]{
		At:    at,
		Parse: func(text string, _ Settings) (bool, string) { return parse(text) },
		Format: func(on bool) string {
			if on {
				return yes
			}
			return no
		},
	}
}

func (s Settings) portProblem() string {
	if s.Enabled && s.Port == 0 {
		return "no port is given; type the UDP port, the same on both nodes, such as " + strconv.Itoa(defaultPort)
	}
	return ""
}

func (s Settings) unequalBuffers() string {
	if !s.Enabled || s.SendBuffer == s.ReceiveBuffer {
		return ""
	}
	return fmt.Sprintf("%s differs from the send buffer, %s; the two should be equal, and the same on both nodes",
		typed.FormatBufferSize(s.ReceiveBuffer), typed.FormatBufferSize(s.SendBuffer))
}

// FormatPrefix is an address as it is typed: with its prefix length where that is known.
// It is blank for none.
func FormatPrefix(p netip.Prefix) string {
	switch {
	case !p.Addr().IsValid():
		return ""
	case p.Bits() < 0:
		return p.Addr().String()
	}
	return p.String()
}

func formatPositive(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
