package mailbox

import "slices"

// Mode is the sync mode of a conntrackd.
type Mode uint8

// The values travel, in two bits.
const (
	ModeUnknown Mode = iota
	ModeFTFW
	ModeNotrack
	ModeAlarm
)

// modes are in the order of their values, as the file has them.
var modes = [...]string{"", "FTFW", "NOTRACK", "ALARM"}

// NewMode is a mode by its name in the file; [ModeUnknown] for any other.
func NewMode(name string) Mode { return Mode(max(slices.Index(modes[:], name), 0)) }

// String is the name in the file; blank where it is not known.
func (m Mode) String() string { return modes[m&ModeAlarm] }
