package nft

import (
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"connsync/trust"
)

// Expression is one step of a rule. Decoded is nil where it is not understood.
type Expression struct {
	Name    string
	Decoded expr.Any
}

// Expressions reads the list of a rule's steps.
func Expressions(of nftables.TableFamily, b []byte) ([]Expression, error) {
	list, err := attributes(b)
	if err != nil {
		return nil, err
	}
	var all []Expression
	for _, element := range list {
		parts, err := attributes(element.Value)
		if err != nil {
			return nil, err
		}
		var e Expression
		var data []byte
		for _, p := range parts {
			switch p.Attr.Type {
			case unix.NFTA_EXPR_NAME:
				e.Name = textOf(p.Value)
			case unix.NFTA_EXPR_DATA:
				data = p.Value
			}
		}
		e.Decoded = decode(byte(of), e.Name, data)
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
	if ct, ok := e.(*expr.Ct); ok { // of whose two registers the library reads one
		list, err := attributes(data)
		if err != nil {
			return nil
		}
		for _, a := range list {
			if a.Attr.Type == unix.NFTA_CT_SREG {
				ct.Register, ct.SourceRegister = uint32(number(a.Value)), true
			}
		}
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
