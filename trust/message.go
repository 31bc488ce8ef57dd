package trust

import (
	"errors"
	"fmt"
)

// ErrMalformed says that a message is not made as its reader expects.
var ErrMalformed = errors.New("malformed message")

// Message calls a reader of a message of the kernel or of another program. A panic,
// which a malformed message causes in some libraries, becomes an [ErrMalformed].
func Message[T any](read func() (T, error)) (v T, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v", ErrMalformed, cause)
		}
	}()
	return read()
}
