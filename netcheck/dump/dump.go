package dump

import (
	"context"
	"errors"

	"github.com/vishvananda/netlink"

	"connsync/trust"
)

// dumpTries bounds the repetitions of a dump that changes under our hands.
const dumpTries = 3

// All calls list again while the kernel says that the list changed while it
// was read, and takes the last one as it is: it has been complete whenever it
// was measured, and a host whose interfaces come and go has no better answer.
func All[T any](ctx context.Context, list func() ([]T, error)) ([]T, error) {
	for try := 1; ; try++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		items, err := trust.Message(list)
		if err == nil {
			return items, nil
		}
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return nil, err
		}
		if try == dumpTries {
			return items, nil
		}
	}
}
