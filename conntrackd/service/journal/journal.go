// Package journal reads what systemd's journal holds of a unit.
package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"connsync/trust"
)

// Bounds of one reading of the journal.
const (
	journalTime  = 5 * time.Second
	journalLines = 500
	journalBytes = 16 << 20 // above what so many lines of 4096 bytes can take as JSON
)

// Read returns what the unit's processes said since then, oldest first.
func Read(ctx context.Context, unit string, since time.Time) ([]string, error) {
	// A line that was written just now may not have been stored yet. Where
	// this is not allowed or not known, the lines are merely a little late.
	syncing, stop := context.WithTimeout(ctx, time.Second)
	_ = trust.Command(syncing, "journalctl", "--sync").Run()
	stop()
	args := []string{"--unit", unit, "--output-fields", "MESSAGE,_PID"}
	if !since.IsZero() {
		args = append(args, "--since", fmt.Sprintf("@%d.%06d", since.Unix(), since.Nanosecond()/1000))
	}
	lines, err := Ask(ctx, unit, args, parseJournal)
	slices.Reverse(lines)
	return lines, err
}

// Ask has journalctl print entries, the newest first, and parses them. The journal
// has no other reader without cgo than its own program.
func Ask[T any](ctx context.Context, unit string, args []string, parse func(io.Reader) ([]T, error)) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, journalTime)
	defer cancel()
	// Newest first: with --since and --lines alone the oldest lines are shown.
	args = append([]string{"--reverse", "--output", "json", "--quiet", "--no-pager", "--lines", strconv.Itoa(journalLines)}, args...)
	cmd := trust.Command(ctx, "journalctl", args...)
	var complaint bytes.Buffer
	cmd.Stderr = &limitedWriter{w: &complaint, left: 4096}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("read journal of %s: %w", unit, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("read journal of %s: %w", unit, err)
	}
	bounded := &io.LimitedReader{R: out, N: journalBytes}
	lines, readErr := parse(bounded)
	if late := ctx.Err(); late != nil {
		_ = cmd.Wait()
		return lines, fmt.Errorf("read journal of %s: %w", unit, late)
	}
	if bounded.N == 0 || readErr != nil {
		cancel() // what lies beyond the bound is not waited for
	}
	// Its exit status says nothing more: 1 stands for no lines too.
	_ = cmd.Wait()
	switch {
	case readErr != nil:
		return lines, fmt.Errorf("read journal of %s: %w", unit, readErr)
	case complaint.Len() > 0 && len(lines) == 0:
		return nil, fmt.Errorf("read journal of %s: %s", unit, strings.TrimSpace(complaint.String()))
	}
	return lines, nil
}

// parseJournal reads journalctl's JSON lines (systemd's "Journal Export
// Formats"): a field is a string, an array of byte values where it is not
// valid UTF-8, an array of those where it occurs twice, or null where it is
// longer than 4096 bytes. systemd's own lines are left out. The order stays.
func parseJournal(r io.Reader) ([]string, error) {
	var lines []string
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var entry struct {
			Message json.RawMessage `json:"MESSAGE"`
			PID     json.RawMessage `json:"_PID"`
		}
		if err := json.Unmarshal(in.Bytes(), &entry); err != nil {
			// The last line may be cut off at the bound.
			continue
		}
		if string(entry.PID) == `"1"` {
			continue
		}
		lines = append(lines, journalText(entry.Message))
	}
	return lines, in.Err()
}

func journalText(raw json.RawMessage) string {
	var text string
	if len(raw) == 0 || string(raw) == "null" {
		return "(a line too long for the journal to show)"
	}
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var numbers []uint16 // not []byte, which would be read as base64
	if json.Unmarshal(raw, &numbers) == nil {
		octets := make([]byte, len(numbers))
		for i, n := range numbers {
			octets[i] = byte(n)
		}
		return string(octets)
	}
	var several []json.RawMessage
	if json.Unmarshal(raw, &several) != nil {
		return string(raw)
	}
	var parts []string
	for _, value := range several {
		parts = append(parts, journalText(value))
	}
	return strings.Join(parts, " ")
}

// limitedWriter keeps the first bytes and swallows the rest.
type limitedWriter struct {
	w    io.Writer
	left int
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	keep := p[:min(len(p), l.left)]
	l.left -= len(keep)
	if _, err := l.w.Write(keep); err != nil {
		return 0, err
	}
	return len(p), nil
}
