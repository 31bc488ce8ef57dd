package failover

import (
	"fmt"
	"slices"
	"strings"

	"connsync/conntrackd/typed"
)

// keepalivedRole is the role for a state that keepalived's "notify" is called
// with. A keepalived that stops, and an instance that is deleted, give their
// addresses up.
func keepalivedRole(state string) (role Role, ok bool) {
	switch state {
	case "MASTER":
		return RolePrimary, true
	case "BACKUP":
		return RoleBackup, true
	case "FAULT", "STOP", "DELETED":
		return RoleFault, true
	}
	return "", false
}

// ParseRole reads either a role, or the four words that keepalived puts
// after the command of a "notify": INSTANCE or GROUP, name, state, priority. It
// puts nothing after those of notify_master and its likes.
func ParseRole(args []string) (Role, error) {
	roles := Roles()
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	switch {
	case len(args) == 0:
		return "", fmt.Errorf("failover needs a role: %s", strings.Join(names, ", "))
	case len(args) == 1 && slices.Contains(names, args[0]):
		return Role(args[0]), nil
	case len(args) == 1 && strings.EqualFold(args[0], "master"):
		return RolePrimary, nil
	case len(args) == 4 && (args[0] == "INSTANCE" || args[0] == "GROUP"):
		if role, ok := keepalivedRole(args[2]); ok {
			return role, nil
		}
		return "", fmt.Errorf("keepalived's state %s is unknown; known states: MASTER, BACKUP, FAULT, STOP, DELETED", typed.Show(args[2]))
	case slices.Contains(names, args[0]):
		return "", fmt.Errorf("failover %s takes no more arguments, got %s", args[0], typed.Show(args[1]))
	}
	return "", fmt.Errorf("unknown role %s; known roles: %s", typed.Show(args[0]), strings.Join(names, ", "))
}
