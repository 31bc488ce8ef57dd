package coverage

import (
	"context"
	"fmt"
	"net/netip"

	"connsync/conntrackd"
)

// Expect says which of the connections that are now in the kernel's table a daemon with
// the file would replicate, judged by its filter alone: each survives or is filtered. own are
// addresses of this node beside those that it has now. It works in the network
// namespace of the calling thread and needs root; an error is an [conntrackd.ErrCannotLook].
func Expect(ctx context.Context, file *conntrackd.File, own []netip.Addr) (Coverage, error) {
	var c Coverage
	protocols, err := ReadProtocols(protocolsFile)
	if err != nil {
		return c, err
	}
	addresses, err := readOwn(own)
	if err != nil {
		return c, err
	}
	filter, counted := NewFilter(file, protocols), newTally()
	err = Dump(ctx, func(e *Entry) {
		c.Table++
		if addresses.ownEntry(e) || e.ending() {
			return
		}
		if rule, dropped := filter.Drops(e); dropped {
			counted.add(e, filtered, rule)
		} else {
			counted.add(e, survives, Rule{})
		}
	})
	if err != nil {
		return c, err
	}
	counted.into(&c)
	if c.Filtered > 0 {
		c.Cause = filterCause(c)
		c.Next = fmt.Sprintf("change line %d of %s", c.Rules[0].Line, file.Name())
	}
	return c, nil
}

// protocolsFile is where the daemon looks up the names of protocols.
const protocolsFile = "/etc/protocols"
