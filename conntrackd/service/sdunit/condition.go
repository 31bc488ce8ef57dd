package sdunit

import (
	"fmt"
	"strings"
)

// Unmet says which condition of a unit kept its last start from happening; blank where
// none did, or it was not started yet.
func Unmet(all map[string]any) string {
	if why := unmetCommand(all); why != "" {
		return why
	}
	for _, kind := range []struct{ result, at, list string }{
		{"ConditionResult", "ConditionTimestamp", "Conditions"}, {"AssertResult", "AssertTimestamp", "Asserts"},
	} {
		met, told := all[kind.result].(bool)
		if !told || met || Property[uint64](all, kind.at) == 0 {
			continue
		}
		if failed := unmetLines(Property[[][]any](all, kind.list)); len(failed) > 0 {
			return strings.Join(failed, " and ") + " of the unit is not met, so systemd did not start it"
		}
		return "a condition of the unit is not met (" + kind.list + "), so systemd did not start it"
	}
	return ""
}

// unmetLines are the lines of those in a list of type a(sbbsi) that were tried and not
// met: the name, whether one of several is enough, whether it is negated, the value and the result.
func unmetLines(conditions [][]any) []string {
	var lines []string
	for _, c := range conditions {
		if len(c) != 5 {
			continue
		}
		name, _ := c[0].(string)
		trigger, _ := c[1].(bool)
		negate, _ := c[2].(bool)
		value, _ := c[3].(string)
		if state, _ := c[4].(int32); state >= 0 {
			continue
		}
		line := name + "="
		if trigger {
			line += "|"
		}
		if negate {
			line += "!"
		}
		lines = append(lines, line+value)
	}
	return lines
}

// unmetCommand is the ExecCondition= that ended with a status against the start: the last
// fields of each are how its process ended (a CLD_ value of waitid(2)), and the status.
func unmetCommand(all map[string]any) string {
	const exited = 1
	for _, c := range Property[[][]any](all, "ExecCondition") {
		if len(c) < 10 {
			continue
		}
		words, _ := c[1].([]string)
		code, _ := c[8].(int32)
		if status, _ := c[9].(int32); code == exited && status != 0 {
			return fmt.Sprintf("ExecCondition=%s of the unit ended with status %d, so systemd did not start it", strings.Join(words, " "), status)
		}
	}
	return ""
}
