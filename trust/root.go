package trust

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"sync"

	"connsync/shell"
)

// Refused says what to do for who was refused what root may do: run the command as root, or,
// where this process is root already, give it all that root has.
func Refused(command string) string { return refused(os.Geteuid() == 0, command) }

func refused(root bool, command string) string {
	if root {
		return "start connsync with all capabilities of root, of which this process lacks some (grep Cap /proc/self/status)"
	}
	return "run it as root: sudo " + command
}

// saysRoot finds in an error that it says who may do what was refused.
var saysRoot = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b(as|only|for|to) root\b`) })

// Remedy is Refused for the error of the command with these words; blank where that was not
// refused, the error says so already, or this process is root, to whom it is refused for
// another reason, such as an immutable file.
func Remedy(err error, words ...string) string { return remedy(os.Geteuid() == 0, err, words...) }

func remedy(root bool, err error, words ...string) string {
	if err == nil || root || !errors.Is(err, fs.ErrPermission) || saysRoot().MatchString(err.Error()) {
		return ""
	}
	return refused(root, shell.Line(words...))
}
