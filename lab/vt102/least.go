package vt102

import "strings"

const (
	nextLine  = 2 // CR LF, the least that leads to another line
	along     = 4 // CUF over up to nine cells
	eraseLine = 3 // EL
)

// Least is a lower bound, in bytes, of what turns one screen into another on a
// VT100: the cells that are drawn, and one cursor move for each run of them.
// Blanks between two words are drawn where that is shorter than a move, and a
// line is erased from any column where that is.
func Least(from, to string) int {
	have, want := strings.Split(from, "\n"), strings.Split(to, "\n")
	total := 0
	for y, line := range want {
		old := ""
		if y < len(have) {
			old = have[y]
		}
		total += leastLine([]rune(old), []rune(line))
	}
	return total
}

func leastLine(have, want []rune) int {
	least := 0
	for erase := len(have); erase >= 0; erase-- {
		cost, gap := 0, nextLine
		if erase < len(have) {
			cost = eraseLine
		}
		for x := range max(len(want), erase) {
			c, old := at(want, x), at(have[:erase], x)
			if c == old {
				gap = min(gap+1, along)
				continue
			}
			cost += gap + 1
			gap = 0
		}
		if erase == len(have) || cost < least {
			least = cost
		}
	}
	return least
}

func at(line []rune, x int) rune {
	if x < len(line) {
		return line[x]
	}
	return ' '
}
