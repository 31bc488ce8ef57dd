package firewall

import (
	"slices"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"connsync/netcheck/legacy"
	"connsync/netcheck/nft"
)

// savedRules is a chain's rules, or why they are not known.
type savedRules struct {
	rules []rule
	err   error
}

// addLegacy adds the kernel's older tables of a family. One that could not be read is
// chains whose rules have an error.
func (r *ruleset) addLegacy(family int, tables []legacy.Table) {
	for _, t := range tables {
		chains := t.Chains
		if t.Err != nil {
			chains = []legacy.Chain{{Name: "INPUT"}, {Name: "OUTPUT"}}
		}
		for _, l := range chains {
			c := legacyChain(family, t.Program, t.Name, l.Name)
			c.Base = c.Base && l.Policy != "-"
			c.DropPolicy = l.Policy == "DROP"
			saved := savedRules{err: t.Err}
			for _, words := range l.Rules {
				saved.rules = append(saved.rules, legacyRule(words))
			}
			r.all = append(r.all, c)
			r.saved[c.key()] = saved
		}
	}
}

// legacyChain is a chain of the older tables; the built-in ones are base
// chains.
func legacyChain(family int, program, table, name string) *chain {
	c := &chain{Chain: nft.Chain{Family: nftables.TableFamilyIPv4, Table: table, Name: name, Kind: "filter"}, program: program}
	switch family {
	case 6:
		c.Family = nftables.TableFamilyIPv6
	case unix.NFPROTO_BRIDGE:
		c.Family = nftables.TableFamilyBridge
	case unix.NFPROTO_ARP:
		c.Family = nftables.TableFamilyARP
	}
	hook := slices.Index([]string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}, name)
	if c.Family == nftables.TableFamilyARP {
		hook = slices.Index([]string{"INPUT", "OUTPUT", "FORWARD"}, name)
	}
	c.Base = hook >= 0
	c.Hook = uint32(max(hook, 0))
	c.Priority = map[string]int32{"raw": -300, "mangle": -150, "nat": -100, "security": 50}[table]
	if table == "nat" {
		c.Kind = "nat"
		if name == "INPUT" || name == "POSTROUTING" { // where it rewrites the source
			c.Priority = 100
		}
	}
	return c
}
