package hostfile

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzJournal holds that a damaged record of what to undo is an error or a list,
// and that what is read and written again is read alike.
func FuzzJournal(f *testing.F) {
	for _, s := range []string{"", "{", "{}", `{"entries":null}`, `{"entries":[{}]}`, `{"entries":[{"path":"/etc/x","kind":"file"}]}`,
		`{"entries":[{"path":"/proc/sys/net/x","kind":"sysctl","before":{"value":"1"}}]}`, `{"entries":{}}`, "null",
		`{"entries":[{"item":"unit","kind":"file","path":"/etc/x","to":"y","unit":true,"before":{},"wrote":["0123456789abcdef"]}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "journal.json")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := OpenJournal(path, JournalOptions{})
		if err != nil || len(j.Entries()) == 0 {
			return
		}
		for _, e := range j.Entries() {
			e.Ours(content)
			e.Fingerprint()
		}
		written, err := j.encode(j.Entries())
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		entries, err := entryList{}.Entries(written)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if again, err := j.encode(entries); err != nil || !bytes.Equal(again, written) {
			t.Errorf("written %q and again %q (%v)", written, again, err)
		}
	})
}
