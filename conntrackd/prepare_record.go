package conntrackd

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// hostRecord is what was changed about the host, oldest first, with what was there
// before. It is written before each change.
type hostRecord struct {
	Entries []entry `json:"entries"`
}

// entry is one changed thing.
type entry struct {
	Item   ItemID     `json:"item"`
	Kind   changeKind `json:"kind"`
	Path   string     `json:"path"`
	To     string     `json:"to,omitempty"`
	Unit   bool       `json:"unit,omitempty"`
	Before was        `json:"before"`
	// Wrote are the SHA-256 sums of the contents that were put there: what has
	// another one was changed by somebody else.
	Wrote []string `json:"wrote,omitempty"`
}

func (p *Preparer) recordPath() string { return filepath.Join(p.path(p.StateDir), "prepared.json") }

// readRecord returns the zero record when nothing was changed.
func (p *Preparer) readRecord() (hostRecord, error) {
	content, err := readFile(p.recordPath())
	if err != nil || content == nil {
		return hostRecord{}, err
	}
	var r hostRecord
	if err := json.Unmarshal(content, &r); err != nil {
		return hostRecord{}, fmt.Errorf("read %s: %w", p.recordPath(), err)
	}
	return r, nil
}

// writeRecord removes the file of an empty record.
func (p *Preparer) writeRecord(r hostRecord) error {
	old, err := readFile(p.recordPath())
	if err != nil {
		return err
	}
	if len(r.Entries) == 0 {
		if old == nil {
			return nil
		}
		return p.files.remove(p.recordPath())
	}
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	content = append(content, '\n')
	if bytes.Equal(content, old) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(p.recordPath()), 0o755); err != nil {
		return err
	}
	return p.files.replace(p.recordPath(), old, content)
}

func (r hostRecord) clone() hostRecord {
	c := hostRecord{Entries: slices.Clone(r.Entries)}
	for i := range c.Entries {
		c.Entries[i].Wrote = slices.Clone(c.Entries[i].Wrote)
	}
	return c
}

func (r hostRecord) find(c change) int {
	return slices.IndexFunc(r.Entries, func(e entry) bool { return e.Kind == c.kind && e.Path == c.path })
}

// note adds a change. What stood there before our first change is kept.
func (r *hostRecord) note(id ItemID, c change, before was) {
	i := r.find(c)
	if i < 0 {
		r.Entries = append(r.Entries, entry{Item: id, Kind: c.kind, Path: c.path, To: c.to, Unit: c.unit, Before: before})
		i = len(r.Entries) - 1
	}
	if c.content == nil {
		return
	}
	if sum := sumOf(c.content); !slices.Contains(r.Entries[i].Wrote, sum) {
		r.Entries[i].Wrote = append(r.Entries[i].Wrote, sum)
	}
}

// ours says whether a content was put there by a change of this record.
func (r hostRecord) ours(c change, content []byte) bool {
	i := r.find(c)
	return i >= 0 && slices.Contains(r.Entries[i].Wrote, sumOf(content))
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
