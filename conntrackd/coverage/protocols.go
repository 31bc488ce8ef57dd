package coverage

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"connsync/conntrackd"
	"connsync/trust"
)

// ReadProtocols reads a file in the form of /etc/protocols: the numbers of the names and
// aliases, written as they are there. It is empty where there is none.
func ReadProtocols(path string) (map[string]uint8, error) {
	numbers := map[string]uint8{}
	file, err := trust.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return numbers, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: read the protocols: %w", conntrackd.ErrCannotLook, err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		number, err := strconv.ParseUint(fields[1], 10, 8)
		if err != nil {
			continue
		}
		for i, name := range fields {
			if _, taken := numbers[name]; i != 1 && !taken {
				numbers[name] = uint8(number)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: read %s: %w", conntrackd.ErrCannotLook, path, err)
	}
	return numbers, nil
}
