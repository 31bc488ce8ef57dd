package conntrackd

import (
	"errors"
)

// ErrCannotLook means that a question could not be asked, for lack of rights
// or of a program. It is never a pass and never a failure.
var ErrCannotLook = errors.New("could not check")
