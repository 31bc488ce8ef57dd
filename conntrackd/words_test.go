package conntrackd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReplaceArguments(t *testing.T) {
	replacements := map[string]string{"Path": "/private", "LogFile": "off"}
	tests := []struct{ name, content, want string }{
		{"nothing to do", "General { HashSize 1 }\n", "General { HashSize 1 }\n"},
		{"path", "UNIX {\n\tPath /run/ctl\n}\n", "UNIX {\n\tPath /private\n}\n"},
		{"twice", "Path /a\nPath /b\n", "Path /private\nPath /private\n"},
		{"one line", "General { UNIX { Path /a } LogFile on }", "General { UNIX { Path /private } LogFile off }"},
		{"argument on the next line", "Path # here\n  /a\n", "Path # here\n  /private\n"},
		{"in a comment", "# Path /a\nPath /b#c\n", "# Path /a\nPath /private\n"},
		{"path that eats the rest", "Path /a}\n", "Path /private\n"},
		{"part of a word", "Pathology /a\n", "Pathology /a\n"},
		{"in a path", "LockFile /Path /a\n", "LockFile /Path /a\n"},
		{"no argument", "UNIX { Path }\n", "UNIX { Path }\n"},
		{"at the end", "Path", "Path"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, string(replaceArguments([]byte(tt.content), replacements))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFileFacts(t *testing.T) {
	content := []byte(`Sync {
  Mode notrack { } # Mode FTFW
  UDP { IPv4_address 10.0.0.1 IPv4_Destination_Address 10.0.0.2 Port 3780 Interface eth1 SndSocketBuffer 65536 RcvSocketBuffer 1 }
  UDP Default { IPv6_address fd00::1
    Port 3781 Interface eth2 }
}
General { LockFile /a LockFile /b
  UNIX { Path /c }
  Filter From Userspace { Protocol Accept { TCP UDP } Address Ignore { IPv4_address 127.0.0.1 } }
}`)
	want := []fileLink{
		{"UDP", "eth1", []string{"10.0.0.1"}, "3780", "65536", "1"},
		{"UDP", "eth2", []string{"fd00::1"}, "3781", "", ""},
	}
	if diff := cmp.Diff(want, fileLinks(content), cmp.AllowUnexported(fileLink{})); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	for name, pair := range map[string][2]string{
		"mode":         {SyncMode(content), "NOTRACK"},
		"old name":     {SyncMode([]byte("Sync { Mode nack {} }")), "FTFW"},
		"default mode": {SyncMode(nil), "FTFW"},
		"lock":         {lockFile(content), "/b"},
		"default lock": {lockFile(nil), "/var/lock/conntrackd.lock"},
		"socket":       {ControlSocket(content), "/c"},
		"no socket":    {ControlSocket(nil), ""},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", name, pair[0], pair[1])
		}
	}
	if s, ok := fileSettings(content); !ok || s.Port != 3780 || s.Current.Addr().String() != "10.0.0.1" {
		t.Errorf("settings of the file %+v, %t", s, ok)
	}
	for _, odd := range []string{"", "Stats { }", "Sync { UDP { IPv4_address 10.0.0.1/24 Port 1 } }", "Sync { TCP { IPv4_address 10.0.0.1 Port 1 } }"} {
		if s, ok := fileSettings([]byte(odd)); ok {
			t.Errorf("%q has settings %+v", odd, s)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add([]byte("General { UNIX { Path /a } }\n# c\n/x}\xff"))
	f.Fuzz(func(t *testing.T, content []byte) {
		list, end := words(content)
		at := 0
		for _, w := range list {
			if w.start < at || w.end <= w.start || w.end > len(content) || string(content[w.start:w.end]) != w.text {
				t.Fatalf("word %+v after %d", w, at)
			}
			at = w.end
		}
		if end >= 0 && content[end] < 0x80 {
			t.Fatalf("%#x at %d ends nothing", content[end], end)
		}
		replaceArguments(content, map[string]string{"Path": "/p"})
		fileLinks(content)
	})
}
