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

// A role follows from external_cache: it informs where both agree, and is refused where it
// would be overlooked.
func TestRoleInAFile(t *testing.T) {
	for content, want := range map[string]string{
		"role: primary-backup\nexternal_cache: true\n": "",
		"external_cache: false\nrole: both-active\n":   "",
		"external_cache: true\nrole: both-active\n":    "role both-active needs external_cache: false beside it",
		"port: 3780\nrole: primary-backup\n":           "role primary-backup needs external_cache: true beside it",
		"external_cache: true\nrole: hot-standby\n":    `role "hot-standby" is invalid: it must be primary-backup or both-active`,
	} {
		list, err := parse([]byte(content))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, p := range new(File).take(conntrackd.NewSettingTable(), list) {
			got += p.Message
		}
		if got != want {
			t.Errorf("%q: %q, want %q", content, got, want)
		}
	}
}
