package lab

import (
	"regexp"
	"strconv"
)

var packets = regexp.MustCompile(`(\d+) Pckts sent\s+(\d+) Pckts recv`)

// traffic reads the messages sent and received out of "conntrackd -s network".
func traffic(statistics string) (sent, received uint64, ok bool) {
	m := packets.FindStringSubmatch(statistics)
	if m == nil {
		return 0, 0, false
	}
	sent, err1 := strconv.ParseUint(m[1], 10, 64)
	received, err2 := strconv.ParseUint(m[2], 10, 64)
	return sent, received, err1 == nil && err2 == nil
}
