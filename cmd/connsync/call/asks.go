package call

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// AsksJSON says whether the call args asks for JSON, whatever is wrong with it. cmd is the
// command that was found.
func AsksJSON(cmd *cobra.Command, args []string) bool {
	return Asks(cmd, args, "json", "true") || Asks(cmd, args, "format", "json")
}

// Asks says whether the call args gives a flag with a value, which is true for a switch. The
// flag may stand behind one that is wrong, and was not read then; or no command was found
// that has it.
func Asks(cmd *cobra.Command, args []string, name, value string) bool {
	if flag := cmd.Flags().Lookup(name); flag != nil && flag.Changed {
		return flag.Value.String() == value
	}
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	asked := false
	for i, arg := range args {
		given, with, ok := strings.Cut(arg, "=")
		switch {
		case given != "--"+name:
		case value == "true":
			on, err := strconv.ParseBool(with)
			asked = on || err != nil // what is no value of a switch does not turn it off
		case ok:
			asked = with == value
		default:
			asked = i+1 < len(args) && args[i+1] == value
		}
	}
	return asked
}
