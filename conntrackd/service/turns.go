package service

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"connsync/conntrackd/service/journal"
)

// Turn is a start or an end of the daemon.
type Turn struct {
	Time time.Time
	What TurnKind
}

// TurnKind is what the daemon did. Stable: it is in the JSON.
type TurnKind string

// The turns that a log tells of.
const (
	TurnStarted TurnKind = "started"
	TurnStopped TurnKind = "stopped"
	TurnFailed  TurnKind = "failed"
)

// turnMessages are the identifiers of systemd's messages about a unit, the same in every
// language (systemd, sd-messages.h).
var turnMessages = map[string]TurnKind{
	"39f53479d3a045ac8e11786248231fbf": TurnStarted, // SD_MESSAGE_UNIT_STARTED
	"9d1aaa27d60140bd96365438aad20286": TurnStopped, // SD_MESSAGE_UNIT_STOPPED
	"d9b373ed55a64feb8242e02dbe79a49c": TurnFailed,  // SD_MESSAGE_UNIT_FAILURE_RESULT
}

// Turns returns the newest starts and ends of the unit that the journal has, the newest
// first. Who may not read the journal gets an error.
func (s *Systemd) Turns(ctx context.Context) ([]Turn, error) {
	args := []string{"--output-fields", "MESSAGE_ID", "_PID=1", "UNIT=" + s.Unit}
	for id := range turnMessages {
		args = append(args, "MESSAGE_ID="+id)
	}
	return journal.Ask(ctx, s.Unit, args, parseTurns)
}

// parseTurns reads journalctl's JSON lines; the order stays.
func parseTurns(r io.Reader) ([]Turn, error) {
	var turns []Turn
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var entry struct {
			ID   string `json:"MESSAGE_ID"`
			Time string `json:"__REALTIME_TIMESTAMP"`
		}
		micros, err := int64(0), json.Unmarshal(in.Bytes(), &entry)
		if err == nil {
			micros, err = strconv.ParseInt(entry.Time, 10, 64)
		}
		if what, known := turnMessages[entry.ID]; err == nil && known {
			turns = append(turns, Turn{time.UnixMicro(micros), what})
		}
	}
	return turns, in.Err()
}

// turnWords are what conntrackd writes to its log when it starts and ends (src/run.c).
var turnWords = map[string]TurnKind{
	"initialization completed":                                  TurnStarted,
	"---- shutdown received ----":                               TurnStopped,
	"initialization failed":                                     TurnFailed,
	"ERROR: initialization failed":                              TurnFailed,
	"conntrackd cannot start, please review your configuration": TurnFailed,
}

// LogTurns returns the starts and ends that the end of conntrackd's log file tells of, the
// oldest first; none where there is no such file. Their times are whole seconds.
func LogTurns(path string) ([]Turn, error) {
	lines, err := logSince(path, time.Time{}, -1)
	var turns []Turn
	for _, line := range lines {
		stamp, rest, _ := strings.Cut(strings.TrimPrefix(line, "["), "]")
		written, err := time.ParseInLocation(time.ANSIC, stamp, time.Local)
		if err != nil {
			continue
		}
		for words, what := range turnWords {
			if strings.HasSuffix(rest, words) {
				turns = append(turns, Turn{written, what})
				break
			}
		}
	}
	return turns, err
}
