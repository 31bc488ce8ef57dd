package tui

import "connsync/conntrackd"

// draft is what has been typed, beside what is saved.
type draft struct {
	values, saved conntrackd.Values
}

func (d *draft) dirty() bool { return d.values != d.saved }
