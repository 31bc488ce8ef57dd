package call

import "github.com/spf13/cobra"

// AsksJSON says whether a command that was called with args prints JSON. The lines of
// status --watch are looks alone.
func AsksJSON(cmd *cobra.Command, args []string) bool {
	if Asks(cmd, args, "watch", "true") {
		return false
	}
	return Asks(cmd, args, "json", "true") || Asks(cmd, args, "format", "json")
}

// Asks says whether a command that was called with args was given a flag with a value.
// The flag may stand behind one that is wrong, and was not read then.
func Asks(cmd *cobra.Command, args []string, name, value string) bool {
	flag := cmd.Flags().Lookup(name)
	switch {
	case flag == nil:
		return false
	case flag.Changed:
		return flag.Value.String() == value
	}
	for i, arg := range args {
		switch {
		case arg == "--"+name+"="+value:
			return true
		case arg == "--"+name:
			return flag.NoOptDefVal == value || flag.NoOptDefVal == "" && i+1 < len(args) && args[i+1] == value
		}
	}
	return false
}
