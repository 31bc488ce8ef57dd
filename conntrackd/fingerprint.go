package conntrackd

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Fingerprint is eight hexadecimal digits in two groups over what must be
// equal on both nodes: of each link the pair of addresses and the settings that are
// shared, which are the port and both buffers, in whatever order; the cache mode; and the
// advanced settings where they are not as everywhere. Both nodes of a pair show the same one.
func (t SettingTable) Fingerprint(s Settings) string {
	sum := sha256.Sum256([]byte(t.shared(s, pairOf)))
	return fmt.Sprintf("%02x%02x-%02x%02x", sum[0], sum[1], sum[2], sum[3])
}

// SharedLabels are the labels of the settings that must be equal on both nodes, beside the
// addresses of the links and their prefix length, in the order of the table.
func (t SettingTable) SharedLabels() []string {
	var labels []string
	for _, e := range t {
		if e.Shared {
			labels = append(labels, e.Label)
		}
	}
	return labels
}

// Digests are a byte over the buffers of all links and one over all that the fingerprint is
// over, for a node to tell its peer; they are never zero. Where they differ the settings
// do, and where these differ one in 255 has the same. A prefix length, which may not be
// known and which conntrackd does not use, is in neither.
func (t SettingTable) Digests(s Settings) (buffers, all uint8) {
	digest := func(text string) uint8 { return uint8(sha256.Sum256([]byte(text))[0])%255 + 1 }
	nameless := func(Settings) string { return "" }
	return digest(t.links(s, nameless, FieldSendBuffer, FieldReceiveBuffer)), digest(t.shared(s, addressesOf))
}

// shared are the settings that must be equal on both nodes.
func (t SettingTable) shared(s Settings, name func(link Settings) string) string {
	shared := t.links(s, name, LinkFields()...)
	for _, e := range t {
		switch list, isList := e.JSON(s).([]string); {
		case !e.Shared || slices.Contains(LinkFields(), e.Field) || !e.Told(s, Host{}):
		case isList:
			shared += fmt.Sprintf(" %s=%v", e.Field, slices.Sorted(slices.Values(list)))
		case e.Optional:
			shared += fmt.Sprintf(" %s=%v", e.Field, e.JSON(s))
		default:
			shared += fmt.Sprintf(" %v", e.JSON(s))
		}
	}
	return shared
}

// links are those fields of each link that must be equal on both nodes, behind its name.
func (t SettingTable) links(s Settings, name func(link Settings) string, fields ...Field) string {
	var links []string
	for _, l := range s.Links() {
		link := name(l)
		for _, e := range t {
			if e.Shared && slices.Contains(fields, e.Field) {
				link += fmt.Sprintf(" %v", e.JSON(l))
			}
		}
		links = append(links, link)
	}
	slices.Sort(links) // either may be the default
	return strings.Join(slices.Compact(links), "; ")
}

// pairOf are the two addresses of a link, in the same order on both nodes, and their
// prefix length; addressesOf are the addresses alone.
func pairOf(s Settings) string {
	return fmt.Sprintf("%s %d", addressesOf(s), cmp.Or(max(s.Current.Bits(), 0), max(s.Peer.Bits(), 0)))
}

func addressesOf(s Settings) string {
	pair := []netip.Addr{s.Current.Addr(), s.Peer.Addr()}
	slices.SortFunc(pair, netip.Addr.Compare)
	return fmt.Sprintf("%v %v", pair[0], pair[1])
}
