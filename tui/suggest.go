package tui

import (
	"context"
	"net/netip"
)

// Neighbours knows who has been seen on an interface.
type Neighbours interface {
	Neighbours(ctx context.Context, ifindex int) ([]netip.Addr, error)
}
