// Package nft reads the rules of nftables as the kernel has them, in the network
// namespace of the calling thread. It needs CAP_NET_ADMIN, and judges nothing.
package nft

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"connsync/netcheck/dump"
	"connsync/trust"
)

// The kernel's rules are read here and not with the library's own calls: those
// leave out the verdicts of maps, the devices of a chain and, without a word,
// every expression that they do not know. The library decodes single
// expressions, which it does well.

// Chain is a list of rules in a table.
type Chain struct {
	Family      nftables.TableFamily
	Table, Name string
	// Base says that packets meet it by themselves; what follows is of those.
	Base       bool
	Kind       string // filter, nat or route
	Hook       uint32
	Priority   int32
	DropPolicy bool
	Devices    []string // of a hook at devices; a name may end in *
}

// Rule is a rule as the kernel has it.
type Rule struct {
	Handle  uint64
	Comment string
	Exprs   []Expression
}

// Unsupported says that the kernel has no nftables at all.
func Unsupported(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT)
}

// attributes are netlink attributes without their flags.
func attributes(b []byte) ([]syscall.NetlinkRouteAttr, error) {
	list, err := trust.Message(func() ([]syscall.NetlinkRouteAttr, error) { return nl.ParseRouteAttr(b) })
	for i := range list {
		list[i].Attr.Type &^= unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER
	}
	return list, err
}

func textOf(b []byte) string { return strings.TrimRight(string(b), "\x00") }

// number reads a big-endian attribute of any size.
func number(b []byte) uint64 {
	var n uint64
	for _, digit := range b {
		n = n<<8 | uint64(digit)
	}
	return n
}

// ask sends one question to nftables, in the network namespace of the
// calling thread, and returns the attributes of each answer with its family.
func ask(ctx context.Context, what int, family nftables.TableFamily, flags int, about ...*nl.RtAttr) ([]answer, error) {
	messages, err := dump.All(ctx, func() ([][]byte, error) {
		req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|what, flags)
		req.AddData(&nl.Nfgenmsg{NfgenFamily: uint8(family), Version: nl.NFNETLINK_V0})
		for _, a := range about {
			req.AddData(a)
		}
		return execute(ctx, req)
	})
	if err != nil {
		return nil, err
	}
	var answers []answer
	for _, m := range messages {
		if len(m) < nl.SizeofNfgenmsg {
			return nil, errors.New("a message of nftables is too short")
		}
		list, err := attributes(m[nl.SizeofNfgenmsg:])
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer{nftables.TableFamily(m[0]), list})
	}
	return answers, nil
}

// execute asks the kernel. The end of ctx ends the answer, too, which takes
// seconds where there are many rules.
func execute(ctx context.Context, req *nl.NetlinkRequest) ([][]byte, error) {
	s, err := nl.Subscribe(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.SetReceiveTimeout(&nl.SocketTimeoutTv); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, s.Close)()
	req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_NETFILTER: {Socket: s}}
	messages, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return messages, err
}

type answer struct {
	family     nftables.TableFamily
	attributes []syscall.NetlinkRouteAttr
}

func named(kind int, name string) *nl.RtAttr { return nl.NewRtAttr(kind, []byte(name+"\x00")) }

// dormant lists the tables that are switched off.
func dormant(ctx context.Context) (map[table]bool, error) {
	const switchedOff = 1 // NFT_TABLE_F_DORMANT
	answers, err := ask(ctx, unix.NFT_MSG_GETTABLE, nftables.TableFamilyUnspecified, unix.NLM_F_DUMP)
	if err != nil {
		return nil, err
	}
	off := map[table]bool{}
	for _, a := range answers {
		t, flags := table{family: a.family}, uint64(0)
		for _, attr := range a.attributes {
			switch attr.Attr.Type {
			case unix.NFTA_TABLE_NAME:
				t.name = textOf(attr.Value)
			case unix.NFTA_TABLE_FLAGS:
				flags = number(attr.Value)
			}
		}
		off[t] = flags&switchedOff != 0
	}
	return off, nil
}

type table struct {
	family nftables.TableFamily
	name   string
}

// Chains lists the chains of all tables. Those of a table that is switched off are no
// base chains.
func Chains(ctx context.Context) ([]*Chain, error) {
	off, err := dormant(ctx)
	if err != nil {
		return nil, err
	}
	answers, err := ask(ctx, unix.NFT_MSG_GETCHAIN, nftables.TableFamilyUnspecified, unix.NLM_F_DUMP)
	if err != nil {
		return nil, err
	}
	var chains []*Chain
	for _, a := range answers {
		c := &Chain{Family: a.family}
		for _, attr := range a.attributes {
			switch attr.Attr.Type {
			case unix.NFTA_CHAIN_TABLE:
				c.Table = textOf(attr.Value)
			case unix.NFTA_CHAIN_NAME:
				c.Name = textOf(attr.Value)
			case unix.NFTA_CHAIN_TYPE:
				c.Kind = textOf(attr.Value)
			case unix.NFTA_CHAIN_POLICY:
				c.DropPolicy = number(attr.Value) == uint64(nftables.ChainPolicyDrop)
			case unix.NFTA_CHAIN_HOOK:
				c.Base = true
				if err := c.readHook(attr.Value); err != nil {
					return nil, err
				}
			}
		}
		c.Base = c.Base && !off[table{c.Family, c.Table}]
		chains = append(chains, c)
	}
	return chains, nil
}

func (c *Chain) readHook(b []byte) error {
	const devices, prefix = 4, 2 // NFTA_HOOK_DEVS, NFTA_DEVICE_PREFIX
	list, err := attributes(b)
	for _, attr := range list {
		switch attr.Attr.Type {
		case unix.NFTA_HOOK_HOOKNUM:
			c.Hook = uint32(number(attr.Value))
		case unix.NFTA_HOOK_PRIORITY:
			c.Priority = int32(uint32(number(attr.Value)))
		case unix.NFTA_HOOK_DEV:
			c.Devices = append(c.Devices, textOf(attr.Value))
		case devices:
			names, err := attributes(attr.Value)
			if err != nil {
				return err
			}
			for _, n := range names {
				name := textOf(n.Value)
				if n.Attr.Type == prefix {
					name += "*"
				}
				c.Devices = append(c.Devices, name)
			}
		}
	}
	return err
}

// Rules lists the rules of a chain.
func Rules(ctx context.Context, of nftables.TableFamily, table, chain string) ([]*Rule, error) {
	answers, err := ask(ctx, unix.NFT_MSG_GETRULE, of, unix.NLM_F_DUMP, named(unix.NFTA_RULE_TABLE, table), named(unix.NFTA_RULE_CHAIN, chain))
	if err != nil {
		return nil, err
	}
	var rules []*Rule
	for _, a := range answers {
		r := &Rule{}
		mine := true // old kernels list the rules of all chains
		for _, attr := range a.attributes {
			switch attr.Attr.Type {
			case unix.NFTA_RULE_TABLE:
				mine = mine && textOf(attr.Value) == table
			case unix.NFTA_RULE_CHAIN:
				mine = mine && textOf(attr.Value) == chain
			case unix.NFTA_RULE_HANDLE:
				r.Handle = number(attr.Value)
			case unix.NFTA_RULE_USERDATA:
				r.Comment, _ = userdata.GetString(attr.Value, userdata.TypeComment)
			case unix.NFTA_RULE_EXPRESSIONS:
				if r.Exprs, err = Expressions(of, attr.Value); err != nil {
					return nil, err
				}
			}
		}
		if mine {
			rules = append(rules, r)
		}
	}
	return rules, nil
}
