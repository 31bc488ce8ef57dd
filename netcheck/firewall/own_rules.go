package firewall

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/google/nftables"
)

// tableName is connsync's own table, of the family inet, and the
// word with which the comments of all its rules begin.
const tableName = "connsync"

// Opening is a chain of the host that drops the sync, or may, and so gets
// connsync's rules before its own.
type Opening struct {
	Family string `json:"family"` // inet, ip, ip6, arp or netdev
	Table  string `json:"table"`
	Chain  string `json:"chain"`
	In     bool   `json:"in"` // it sees what comes in, else what goes out
}

// String names the chain as nft does: family, table, chain.
func (o Opening) String() string { return fmt.Sprintf("%s %s %s", o.Family, o.Table, o.Chain) }

// Admits are the matches of the rules that admit the sync in one direction, in
// the words of nft, without verdict: datagrams of the peer to the sync port, on
// the sync interface only. The source port is never matched, because the daemon
// sends from any. With it go the peer's echoes, which the checks of both nodes
// ask for, and errors about the datagrams: what is not tracked has no related
// ones. With IPv6 the two nodes have to find one another, by ICMPv6 on the link.
//
// With a group, the datagrams are those to it, and the messages of its membership go with
// them. Else what comes in has to be for Current: before routing, on a node that forwards, a rule
// without would let the peer reach the port of any host behind it.
func (f Flow) Admits(in bool) []string {
	var rules []string
	for _, l := range f.links() {
		for _, r := range l.admits(in) {
			if !slices.Contains(rules, r) { // two links may have the same peer
				rules = append(rules, r)
			}
		}
	}
	return rules
}

// admits are the matches for one link; the first is that of the datagrams.
func (f Flow) admits(in bool) []string {
	link, family := fmt.Sprintf("oifname %q", f.Interface), f.NftFamily()
	peer := fmt.Sprintf("%s %s daddr %v", link, family, f.Peer.Addr().Unmap().WithZone(""))
	if in {
		link = fmt.Sprintf("iifname %q", f.Interface)
		peer = fmt.Sprintf("%s %s saddr %v %s daddr %v", link, family, f.Peer.Addr().Unmap().WithZone(""), family, f.Current.Addr().Unmap().WithZone(""))
	}
	rules := []string{fmt.Sprintf("%s udp dport %d", peer, f.Port)}
	if f.Group.IsValid() {
		rules = append([]string{f.admitsGroup(in)}, f.admitsMembership(link, in))
	}
	if f.Family() == 4 {
		return append(rules, peer+" icmp type { echo-reply, destination-unreachable, echo-request }")
	}
	return append(rules,
		peer+" icmpv6 type { destination-unreachable, packet-too-big, echo-request, echo-reply }",
		link+" ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }")
}

// admitsGroup is the match for the datagrams of a group.
func (f Flow) admitsGroup(in bool) string {
	match := fmt.Sprintf("oifname %q", f.Interface)
	if in {
		match = fmt.Sprintf("iifname %q %s saddr %v", f.Interface, f.NftFamily(), f.Peer.Addr().Unmap().WithZone(""))
	}
	return fmt.Sprintf("%s %s daddr %v udp dport %d", match, f.NftFamily(), f.Group, f.Port)
}

// admitsMembership is the match for what this node and the switches tell each other of
// the group: a switch that asks and gets no answer stops forwarding it.
func (f Flow) admitsMembership(link string, in bool) string {
	switch {
	case f.Family() == 4:
		return link + " ip protocol igmp"
	case in:
		return link + " icmpv6 type mld-listener-query"
	}
	return link + " icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report }"
}

// mark is the comment by which connsync's rule is found again; it changes
// with what it stands for.
func mark(text string) string {
	sum := sha256.Sum256([]byte(text))
	return tableName + " " + hex.EncodeToString(sum[:4])
}

// admitsARP is the match for the search for the neighbour with IPv4; blank where there is
// none.
func (f Flow) admitsARP(in bool) string {
	switch {
	case f.Family() != 4 || f.Group.IsValid():
		return ""
	case in:
		return fmt.Sprintf("iifname %q arp operation { request, reply }", f.Interface)
	}
	return fmt.Sprintf("oifname %q arp operation { request, reply }", f.Interface)
}

// matches are those of the rules for a chain of the host. Only some families see ARP.
func (f Flow) matches(o Opening) []string {
	var all []string
	if o.Family != "arp" {
		all = f.Admits(o.In)
	}
	for _, l := range f.links() {
		seen := o.Family == "arp" || o.Family == "bridge" || o.Family == "netdev"
		if r := l.admitsARP(o.In); seen && r != "" && !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}

// admitting are the rules for a chain of the host, with their marks.
func (f Flow) admitting(o Opening) (rules, marks []string) {
	for _, r := range f.matches(o) {
		marks = append(marks, mark(r))
		rules = append(rules, fmt.Sprintf("%s accept comment %q", r, mark(r)))
	}
	return rules, marks
}

// ownRule is a rule in connsync's own table.
type ownRule struct {
	chain, text string
}

// ownChain is a chain in connsync's own table.
type ownChain struct {
	name, hook string
	priority   int32
	hookNumber uint32
}

// The chains in connsync's own table. Connection tracking begins at -200; what
// others send to the port is dropped before the host's own filter at 0.
func ownChains() []ownChain {
	return []ownChain{
		{"untrack-in", "prerouting", -300, hookPrerouting},
		{"untrack-out", "output", -300, hookOutput},
		{"refuse", "input", -10, hookInput},
	}
}

// ownRules take the sync out of connection tracking, both ways, and keep
// everybody but the peer away from the port: it knows no password.
func (f Flow) ownRules() []ownRule {
	var rules []ownRule
	for _, l := range f.links() {
		rules = append(rules, l.ownRulesOfLink()...)
	}
	return rules
}

func (f Flow) ownRulesOfLink() []ownRule {
	to := fmt.Sprintf("%s daddr %v udp dport %d", f.NftFamily(), f.Current.Addr().Unmap().WithZone(""), f.Port)
	if f.Group.IsValid() { // conntrackd's socket for a group takes what comes to any address
		to = fmt.Sprintf("udp dport %d", f.Port)
	}
	return []ownRule{
		{"untrack-in", f.admits(true)[0] + " notrack"},
		{"untrack-out", f.admits(false)[0] + " notrack"},
		{"refuse", f.admits(true)[0] + " accept"},
		{"refuse", to + " drop"},
	}
}

// ownMark marks the whole table.
func (f Flow) ownMark() string { return mark(fmt.Sprint(ownChains(), f.ownRules())) }

// ownTable is connsync's table in the words of nft.
func (f Flow) ownTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s {\n", tableName)
	for _, c := range ownChains() {
		fmt.Fprintf(&b, "\tchain %s {\n\t\ttype filter hook %s priority %d; policy accept;\n", c.name, c.hook, c.priority)
		for _, r := range f.ownRules() {
			if r.chain == c.name {
				fmt.Fprintf(&b, "\t\t%s comment %q\n", r.text, f.ownMark())
			}
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// inserts are the commands that put the admitting rules to the beginning of the
// openings.
func (f Flow) inserts(openings []Opening) string {
	var b strings.Builder
	for _, o := range openings {
		rules, _ := f.admitting(o)
		for _, r := range slices.Backward(rules) {
			fmt.Fprintf(&b, "insert rule %v %s\n", o, r)
		}
	}
	return b.String()
}

// freshTable is connsync's table in the place of an older one.
func (f Flow) freshTable() string {
	return fmt.Sprintf("table inet %s\ndelete table inet %s\n", tableName, tableName) + f.ownTable()
}

// NftFile is a file for nft that admits the sync and follows, by an
// include, the file that makes the openings' chains. A chain that is not there
// any more, by the time that it is loaded, is no error: it is made, unused.
func (f Flow) NftFile(openings []Opening) string {
	var b strings.Builder
	words := make([]string, 0, 1+len(f.Spares))
	for _, l := range f.links() {
		words = append(words, fmt.Sprintf("%s, %v and %v, %s", l.Interface, l.Current.Addr(), l.Peer.Addr(), l.Where()))
	}
	fmt.Fprintf(&b, nftFileStart+` for %s.
# It is replaced as a whole; connsync firewall --remove removes it.

`, strings.Join(words, "; "))
	b.WriteString(f.freshTable())
	for _, o := range openings {
		fmt.Fprintf(&b, "\n# The host's own chain, to whose beginning the rules go.\ntable %s %s {\n\tchain %s {\n\t}\n}\n%s",
			o.Family, o.Table, o.Chain, f.inserts([]Opening{o}))
	}
	return b.String()
}

// nftFileStart is how each file of [Flow.NftFile] begins, of every version.
const nftFileStart = "# Written by connsync firewall --install"

// IsNftFile says whether a file was made by [Flow.NftFile], of any version.
func IsNftFile(content []byte) bool { return strings.HasPrefix(string(content), nftFileStart) }

// plainName is a name that can be written in a file for nft as it is.
var plainName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`) })

// CheckName refuses the name of an interface that nft would take for
// something else.
func (f Flow) CheckName() error {
	for _, l := range f.links() {
		if l.Interface == "" || strings.ContainsAny(l.Interface, "\"\\*${}\n ") {
			return fmt.Errorf("the interface name %q cannot be written in firewall rules", l.Interface)
		}
	}
	return nil
}

func familyName(f nftables.TableFamily) string {
	switch f {
	case nftables.TableFamilyIPv4:
		return "ip"
	case nftables.TableFamilyIPv6:
		return "ip6"
	case nftables.TableFamilyNetdev:
		return "netdev"
	case nftables.TableFamilyARP:
		return "arp"
	case nftables.TableFamilyBridge:
		return "bridge"
	}
	return "inet"
}

// Script is what nft has to be given so that the rules are in place; blank
// where they are. nft carries it out as a whole or not at all.
func (e *Effect) Script() string {
	if e.InPlace() {
		return ""
	}
	return e.flow.freshTable() + e.deletions() + e.flow.inserts(e.Openings)
}

// RemoveScript is what nft has to be given so that none of connsync's rules
// is left; blank where there are none.
func (e *Effect) RemoveScript() string {
	if !e.own {
		return e.deletions()
	}
	return fmt.Sprintf("delete table inet %s\n", tableName) + e.deletions()
}

func (e *Effect) deletions() string {
	var b strings.Builder
	for _, m := range e.marked {
		fmt.Fprintf(&b, "delete rule %v handle %d\n", m.in, m.handle)
	}
	return b.String()
}
