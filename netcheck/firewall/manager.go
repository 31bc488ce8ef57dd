package firewall

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
)

// Manager is the program that rules belong to where nftables.conf does not
// load them: it would lose what somebody else puts there.
type Manager string

// The programs that are known.
const (
	ManagerIPTables  Manager = "iptables"
	ManagerUFW       Manager = "ufw"
	ManagerFirewalld Manager = "firewalld"
)

// Foreign is a chain that drops the sync, or may, and is another program's.
type Foreign struct {
	Chain    string   `json:"chain"` // in words
	Manager  Manager  `json:"manager"`
	Why      string   `json:"why"` // what it does
	Commands []string `json:"commands"`
}

// manager says whose a chain is; blank is nobody's but the host's own.
func (r *ruleset) manager(c *chain) Manager {
	builtIn := slices.Contains([]string{"INPUT", "OUTPUT", "PREROUTING", "POSTROUTING"}, c.Name)
	tables := slices.Contains([]string{"filter", "nat", "mangle", "raw", "security"}, c.Table)
	ofTables := builtIn && tables && slices.Contains([]nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6, nftables.TableFamilyARP}, c.Family)
	switch {
	case c.Table == "firewalld":
		return ManagerFirewalld
	case c.program == "" && !ofTables:
		return ""
	}
	for name := range r.chains {
		if name.table == "filter" && name.program == c.program && (strings.HasPrefix(name.name, "ufw-") || strings.HasPrefix(name.name, "ufw6-")) {
			return ManagerUFW
		}
	}
	return ManagerIPTables
}

// manage are the commands by which ufw or firewalld admits the sync in one
// direction, the first of them for now.
func (f Flow) manage(m Manager, in bool) []string {
	peer, current := f.Peer.Addr().Unmap().WithZone(""), f.Current.Addr().Unmap().WithZone("")
	to := f.destination(in)
	switch m {
	case ManagerUFW:
		if in {
			return []string{fmt.Sprintf("ufw allow in on %s proto udp from %v to %v port %d", f.Interface, peer, to, f.Port)}
		}
		return []string{fmt.Sprintf("ufw allow out on %s proto udp from %v to %v port %d", f.Interface, current, to, f.Port)}
	case ManagerFirewalld:
		if in {
			zone := fmt.Sprintf(`"$(firewall-cmd --get-zone-of-interface=%s || firewall-cmd --get-default-zone)"`, f.Interface)
			rule := fmt.Sprintf(`rule family="ipv%d" source address="%v" destination address="%v" port port="%d" protocol="udp" accept`, f.Family(), peer, to, f.Port)
			return []string{
				fmt.Sprintf("firewall-cmd --zone=%s --add-rich-rule='%s'", zone, rule),
				fmt.Sprintf("firewall-cmd --permanent --zone=%s --add-rich-rule='%s'", zone, rule),
			}
		}
		direct := fmt.Sprintf("--direct --add-rule ipv%d filter OUTPUT 0 -o %s -d %v -p udp --dport %d -j ACCEPT", f.Family(), f.Interface, to, f.Port)
		return []string{"firewall-cmd " + direct, "firewall-cmd --permanent " + direct}
	}
	return nil
}

// remedies are the commands that let the sync through a chain, for now and for
// good, blank where that is connsync's own business.
func (f Flow) remedies(rules *ruleset, c *chain, in bool) (Manager, []string) {
	m := rules.manager(c)
	if m == ManagerIPTables && c.Family == nftables.TableFamilyARP {
		return m, []string{f.arptablesAdmit(c, in)}
	}
	if m == ManagerIPTables {
		program := c.program
		if program == "" {
			program = f.iptables()
		}
		return m, f.iptablesAdmit(program+waits, c.Table, c.Name, in)
	}
	return m, f.manage(m, in)
}

// arptablesAdmit is the rule of arptables for one direction; where the rules of the older
// tables are not known, what lists them.
func (f Flow) arptablesAdmit(c *chain, in bool) string {
	switch {
	case c.program != "":
		return fmt.Sprintf("%s -t %s -L", c.program, c.Table)
	case in:
		return fmt.Sprintf("arptables -I %s -i %s -j ACCEPT", c.Name, f.Interface)
	}
	return fmt.Sprintf("arptables -I %s -o %s -j ACCEPT", c.Name, f.Interface)
}

func (f Flow) iptables() string {
	if f.Family() == 6 {
		return "ip6tables"
	}
	return "iptables"
}

// waits has iptables wait for another program that is at the tables.
const waits = " -w"

// iptablesAdmit are the rules of iptables for one direction, at the beginning
// of a chain: the datagrams, with IPv6 the search for the neighbour, echoes and
// errors about the datagrams.
func (f Flow) iptablesAdmit(program, table, chain string, in bool) []string {
	link, side := "-i", "-s"
	if !in {
		link, side = "-o", "-d"
	}
	if table != "filter" {
		program += " -t " + table
	}
	start := fmt.Sprintf("%s -I %s %s %s", program, chain, link, f.Interface)
	peer := fmt.Sprintf("%s %v", side, f.Peer.Addr().Unmap().WithZone(""))
	if in {
		peer += fmt.Sprintf(" -d %v", f.Current.Addr().Unmap().WithZone(""))
	}
	const end = "-m comment --comment connsync -j ACCEPT"
	commands := []string{fmt.Sprintf("%s %s -p udp --dport %d %s", start, f.iptablesEnds(in), f.Port, end)}
	if f.Group.IsValid() {
		for _, match := range f.iptablesMembership(in) {
			commands = append(commands, fmt.Sprintf("%s %s %s", start, match, end))
		}
	}
	if f.Family() == 4 {
		for _, kind := range []string{"destination-unreachable", "echo-request", "echo-reply"} {
			commands = append(commands, fmt.Sprintf("%s %s -p icmp --icmp-type %s %s", start, peer, kind, end))
		}
		return commands
	}
	for _, kind := range []string{"neighbour-solicitation", "neighbour-advertisement"} {
		commands = append(commands, fmt.Sprintf("%s -p icmpv6 --icmpv6-type %s -m hl --hl-eq 255 %s", start, kind, end))
	}
	for _, kind := range []string{"destination-unreachable", "packet-too-big", "echo-request", "echo-reply"} {
		commands = append(commands, fmt.Sprintf("%s %s -p icmpv6 --icmpv6-type %s %s", start, peer, kind, end))
	}
	return commands
}

// iptablesEnds are the matches for where the datagrams come from and go.
func (f Flow) iptablesEnds(in bool) string {
	to := fmt.Sprintf("-d %v", f.destination(in))
	if in {
		return fmt.Sprintf("-s %v %s", f.Peer.Addr().Unmap().WithZone(""), to)
	}
	return to
}

// iptablesMembership is [Flow.admitsMembership] for iptables. With IPv6 a node tells of
// its groups in messages of version 2, or of version 1 where a switch asks by that.
func (f Flow) iptablesMembership(in bool) []string {
	switch {
	case f.Family() == 4:
		return []string{"-p igmp"}
	case in:
		return []string{"-p icmpv6 --icmpv6-type 130"}
	}
	return []string{"-p icmpv6 --icmpv6-type 143", "-p icmpv6 --icmpv6-type 131"}
}

// IPTables are the commands of iptables that do what the rules for nftables do.
// The last to be inserted stands first, so that the refusal of everybody else
// comes first here. They last until the next boot, or the next time that the
// host's own program loads its rules.
func (f Flow) IPTables() []string {
	var commands []string
	for _, l := range f.links() {
		commands = append(commands, l.ipTables()...)
	}
	return commands
}

func (f Flow) ipTables() []string {
	program, own := f.iptables()+waits, fmt.Sprintf("-d %v ", f.Current.Addr().Unmap().WithZone(""))
	if f.Group.IsValid() {
		own = "" // as in ownRulesOfLink
	}
	commands := []string{
		fmt.Sprintf("%s -I INPUT %s-p udp --dport %d -m comment --comment connsync -j DROP", program, own, f.Port),
	}
	commands = append(commands, f.iptablesAdmit(program, "filter", "INPUT", true)...)
	commands = append(commands, f.iptablesAdmit(program, "filter", "OUTPUT", false)...)
	return append(commands,
		fmt.Sprintf("%s -t raw -I PREROUTING -i %s %s -p udp --dport %d -m comment --comment connsync -j CT --notrack", program, f.Interface, f.iptablesEnds(true), f.Port),
		fmt.Sprintf("%s -t raw -I OUTPUT -o %s %s -p udp --dport %d -m comment --comment connsync -j CT --notrack", program, f.Interface, f.iptablesEnds(false), f.Port))
}
