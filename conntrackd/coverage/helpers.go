package coverage

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"connsync/conntrackd/control"
)

// Helpers returns the names of the conntrack helpers that entries of the kernel's table
// and of the daemon's external cache have, in order: also those of the peer's rules, which
// come with its entries. c may be nil; it is as [Dump] otherwise.
func Helpers(ctx context.Context, c *control.Client) ([]string, error) {
	found := map[string]bool{}
	err := messages(ctx, nil, func(message []byte) bool {
		if name := helperOf(message); len(name) > 0 {
			found[string(name)] = true
		}
		return true
	})
	if err == nil && c != nil {
		err = c.DumpExternal(ctx, func(line []byte) {
			if _, rest, ok := bytes.Cut(line, []byte(" helper=")); ok {
				name, _ := word(rest)
				found[string(name)] = true
			}
		})
	}
	return slices.Sorted(maps.Keys(found)), err
}

// helperOf is the name of the helper in a message of the kernel; nil for none.
func helperOf(message []byte) []byte {
	for rest := message[min(netfilterHeader, len(message)):]; ; {
		kind, value, more, ok := attribute(rest)
		if !ok {
			return nil
		}
		rest = more
		if kind != ctaHelp {
			continue
		}
		for {
			kind, name, more, ok := attribute(value)
			if !ok {
				return nil
			}
			if value = more; kind == ctaHelpName {
				return bytes.TrimRight(name, "\x00")
			}
		}
	}
}
