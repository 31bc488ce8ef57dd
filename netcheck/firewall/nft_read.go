package firewall

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
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

// expression is one step of a rule. Decoded is nil where it is not understood.
type expression struct {
	name    string
	decoded expr.Any
}

// nftRule is a rule as the kernel has it.
type nftRule struct {
	handle  uint64
	comment string
	exprs   []expression
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

// askNft sends one question to nftables, in the network namespace of the
// calling thread, and returns the attributes of each answer with its family.
func askNft(ctx context.Context, what int, family nftables.TableFamily, flags int, about ...*nl.RtAttr) ([]nftAnswer, error) {
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
	var answers []nftAnswer
	for _, m := range messages {
		if len(m) < nl.SizeofNfgenmsg {
			return nil, errors.New("a message of nftables is too short")
		}
		list, err := attributes(m[nl.SizeofNfgenmsg:])
		if err != nil {
			return nil, err
		}
		answers = append(answers, nftAnswer{nftables.TableFamily(m[0]), list})
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

type nftAnswer struct {
	family     nftables.TableFamily
	attributes []syscall.NetlinkRouteAttr
}

func named(kind int, name string) *nl.RtAttr { return nl.NewRtAttr(kind, []byte(name+"\x00")) }

// readDormant lists the tables that are switched off.
func readDormant(ctx context.Context) (map[nftTable]bool, error) {
	const dormant = 1 // NFT_TABLE_F_DORMANT
	answers, err := askNft(ctx, unix.NFT_MSG_GETTABLE, nftables.TableFamilyUnspecified, unix.NLM_F_DUMP)
	if err != nil {
		return nil, err
	}
	off := map[nftTable]bool{}
	for _, a := range answers {
		t, flags := nftTable{family: a.family}, uint64(0)
		for _, attr := range a.attributes {
			switch attr.Attr.Type {
			case unix.NFTA_TABLE_NAME:
				t.name = textOf(attr.Value)
			case unix.NFTA_TABLE_FLAGS:
				flags = number(attr.Value)
			}
		}
		off[t] = flags&dormant != 0
	}
	return off, nil
}

type nftTable struct {
	family nftables.TableFamily
	name   string
}

// readChains lists the chains of all tables. Those of a table that is switched
// off have no hook.
func readChains(ctx context.Context) ([]*chain, error) {
	off, err := readDormant(ctx)
	if err != nil {
		return nil, err
	}
	answers, err := askNft(ctx, unix.NFT_MSG_GETCHAIN, nftables.TableFamilyUnspecified, unix.NLM_F_DUMP)
	if err != nil {
		return nil, err
	}
	var chains []*chain
	for _, a := range answers {
		c := &chain{family: a.family}
		for _, attr := range a.attributes {
			switch attr.Attr.Type {
			case unix.NFTA_CHAIN_TABLE:
				c.table = textOf(attr.Value)
			case unix.NFTA_CHAIN_NAME:
				c.name = textOf(attr.Value)
			case unix.NFTA_CHAIN_TYPE:
				c.kind = textOf(attr.Value)
			case unix.NFTA_CHAIN_POLICY:
				c.dropPolicy = number(attr.Value) == uint64(nftables.ChainPolicyDrop)
			case unix.NFTA_CHAIN_HOOK:
				c.base = true
				if err := c.readHook(attr.Value); err != nil {
					return nil, err
				}
			}
		}
		c.base = c.base && !off[nftTable{c.family, c.table}]
		chains = append(chains, c)
	}
	return chains, nil
}

func (c *chain) readHook(b []byte) error {
	const devices, prefix = 4, 2 // NFTA_HOOK_DEVS, NFTA_DEVICE_PREFIX
	list, err := attributes(b)
	for _, attr := range list {
		switch attr.Attr.Type {
		case unix.NFTA_HOOK_HOOKNUM:
			c.hook = uint32(number(attr.Value))
		case unix.NFTA_HOOK_PRIORITY:
			c.priority = int32(uint32(number(attr.Value)))
		case unix.NFTA_HOOK_DEV:
			c.devices = append(c.devices, textOf(attr.Value))
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
				c.devices = append(c.devices, name)
			}
		}
	}
	return err
}

// readRules lists the rules of a chain.
func readRules(ctx context.Context, c *chain) ([]rule, error) {
	answers, err := askNft(ctx, unix.NFT_MSG_GETRULE, c.family, unix.NLM_F_DUMP,
		named(unix.NFTA_RULE_TABLE, c.table), named(unix.NFTA_RULE_CHAIN, c.name))
	if err != nil {
		return nil, err
	}
	var rules []rule
	for _, a := range answers {
		r := &nftRule{}
		mine := true // old kernels list the rules of all chains
		for _, attr := range a.attributes {
			switch attr.Attr.Type {
			case unix.NFTA_RULE_TABLE:
				mine = mine && textOf(attr.Value) == c.table
			case unix.NFTA_RULE_CHAIN:
				mine = mine && textOf(attr.Value) == c.name
			case unix.NFTA_RULE_HANDLE:
				r.handle = number(attr.Value)
			case unix.NFTA_RULE_USERDATA:
				r.comment, _ = userdata.GetString(attr.Value, userdata.TypeComment)
			case unix.NFTA_RULE_EXPRESSIONS:
				if r.exprs, err = readExpressions(byte(c.family), attr.Value); err != nil {
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

func readExpressions(family byte, b []byte) ([]expression, error) {
	list, err := attributes(b)
	if err != nil {
		return nil, err
	}
	var all []expression
	for _, element := range list {
		parts, err := attributes(element.Value)
		if err != nil {
			return nil, err
		}
		var e expression
		var data []byte
		for _, p := range parts {
			switch p.Attr.Type {
			case unix.NFTA_EXPR_NAME:
				e.name = textOf(p.Value)
			case unix.NFTA_EXPR_DATA:
				data = p.Value
			}
		}
		e.decoded = decode(family, e.name, data)
		all = append(all, e)
	}
	return all, nil
}

// decode returns nil for what is not understood.
func decode(family byte, name string, data []byte) expr.Any {
	decoded, err := trust.Message(func() (expr.Any, error) { return decodeKnown(family, name, data), nil })
	if err != nil {
		return nil
	}
	return decoded
}

func decodeKnown(family byte, name string, data []byte) expr.Any {
	if name == "immediate" {
		// A verdict is an immediate value for the verdict register.
		e := &expr.Immediate{}
		if err := expr.Unmarshal(family, data, e); err != nil {
			return nil
		}
		if e.Register != unix.NFT_REG_VERDICT || len(e.Data) > 0 {
			return e
		}
		v := &expr.Verdict{}
		if err := expr.Unmarshal(family, data, v); err != nil {
			return nil
		}
		return v
	}
	e := blank(name)
	if e == nil {
		return nil
	}
	if name == "notrack" {
		return e
	}
	if err := expr.Unmarshal(family, data, e); err != nil {
		return nil
	}
	return e
}

// blank is an empty expression of a kind that is understood, else nil.
func blank(name string) expr.Any {
	switch name {
	case "meta":
		return &expr.Meta{}
	case "payload":
		return &expr.Payload{}
	case "ct":
		return &expr.Ct{}
	case "cmp":
		return &expr.Cmp{}
	case "range":
		return &expr.Range{}
	case "bitwise":
		return &expr.Bitwise{}
	case "lookup":
		return &expr.Lookup{}
	case "fib":
		return &expr.Fib{}
	case "exthdr":
		return &expr.Exthdr{}
	case "dynset":
		return &expr.Dynset{}
	case "counter":
		return &expr.Counter{}
	case "log":
		return &expr.Log{}
	case "objref":
		return &expr.Objref{}
	case "notrack":
		return &expr.Notrack{}
	case "reject":
		return &expr.Reject{}
	case "queue":
		return &expr.Queue{}
	case "nat":
		return &expr.NAT{}
	case "redir":
		return &expr.Redir{}
	case "masq":
		return &expr.Masq{}
	case "match":
		return &expr.Match{}
	case "target":
		return &expr.Target{}
	case "hash":
		return &expr.Hash{}
	case "numgen":
		return &expr.Numgen{}
	}
	return nil
}
