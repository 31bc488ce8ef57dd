package fromfile

import (
	"bytes"
	"connsync/conntrackd"
	"strings"
	"testing"
)

func FuzzFrom(f *testing.F) {
	for _, seed := range []string{
		`{"enabled": null, "port": 3780}`, "port: 3780\ninterface: eth1\n", "a: &x [1]\nb: *x\n", "<<: {}\n", "---\n...\n", "? a\n: b\n", "{", "\xef\xbb\xbf{}", `{"a":1}{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		list, err := parse(content)
		if err != nil {
			if line, _, ok := strings.Cut(err.Error(), ": "); !ok || strings.Trim(line, "0123456789") != "" || line == "" {
				t.Errorf("error without a line: %v", err)
			}
			return
		}
		lines := bytes.Count(content, []byte("\n")) + bytes.Count(content, []byte("\r")) + bytes.Count(content, []byte("\u0085")) +
			bytes.Count(content, []byte("\u2028")) + bytes.Count(content, []byte("\u2029")) + 1
		for _, e := range list {
			if e.line < 1 || e.line > lines {
				t.Errorf("%s is on line %d of %d", e.name, e.line, lines)
			}
		}
		new(File).take(conntrackd.NewSettingTable(), list)
	})
}
