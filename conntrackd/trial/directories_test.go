package trial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
)

// Each path that a file names is of a file of its own, also where two are written
// differently.
func TestSharedPaths(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "conf"), nil, 0o600), os.Symlink("conf", filepath.Join(dir, "conf.link")),
		os.Link(filepath.Join(dir, "conf"), filepath.Join(dir, "conf.hard")), os.Symlink(".", filepath.Join(dir, "here")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const itself, each = "is the configuration itself, DIR/conf; give it a path of its own there", "; give each a path of its own in DIR/conf"
	tests := []struct {
		name, src string
		want      []string
	}{
		{"all differ", "General { LockFile DIR/lock\nLogFile DIR/log\nUNIX { Path DIR/ctl } }\n", nil},
		{"defaults", "", nil},
		{"no path of a log", "General { LockFile DIR/lock\nLogFile on }\n", nil},
		{"the last one counts", "General { LogFile DIR/conf\nLogFile DIR/log }\n", nil},
		{"log and configuration", "General {\nLogFile DIR/conf\n}\n", []string{"LogFile (line 2) " + itself}},
		{"lock and configuration", "General {\nLockFile DIR/./here/./conf\n}\n", []string{"LockFile (line 2) " + itself}},
		{"above a link and back", "General {\nLockFile DIR/here/../" + filepath.Base(dir) + "/conf\n}\n", []string{"LockFile (line 2) " + itself}},
		{"above what a link leads to", "General {\nLockFile DIR/here/../conf\n}\n", nil},
		{"socket and configuration", "General {\nUNIX {\nPath DIR//conf\n} }\n", []string{"UNIX Path (line 3) " + itself}},
		{"a link to the configuration", "General { LogFile DIR/conf.link\n}\n", []string{"LogFile (line 1) " + itself}},
		{"its other name", "General { LogFile DIR/conf.hard\n}\n", []string{"LogFile (line 1) " + itself}},
		{"log and lock", "General { LockFile DIR/x\nLogFile DIR/here/x\n}\n", []string{"LogFile (line 2) is the file of LockFile (line 1), DIR/x" + each}},
		{"socket and lock", "General { LockFile DIR/x\nUNIX { Path DIR/x } }\n", []string{"UNIX Path (line 2) is the file of LockFile (line 1), DIR/x" + each}},
		{"log and the default lock", "General { LogFile /var/lock/conntrackd.lock\n}\n",
			[]string{"LogFile (line 1) is the file of LockFile (the default), /var/lock/conntrackd.lock" + each}},
		{"in a directory that is not there", "General { LockFile DIR/no/x\nLogFile DIR/no/y/../x\n}\n", []string{"LogFile (line 2) is the file of LockFile (line 1), DIR/no/x" + each}},
		{"both logs", "General { LogFile DIR/x\n}\nStats { LogFile DIR/x\n}\n", []string{"LogFile (line 3) is the file of LogFile (line 1), DIR/x" + each}},
		{"all in one", "General { LockFile DIR/x\nLogFile DIR/x\nUNIX { Path DIR/x } }\n", []string{
			"UNIX Path (line 3) is the file of LockFile (line 1), DIR/x" + each, "LogFile (line 2) is the file of LockFile (line 1), DIR/x" + each,
			"LogFile (line 2) is the file of UNIX Path (line 3), DIR/x" + each}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &conntrackd.Candidate{Path: filepath.Join(dir, "conf"), New: []byte(strings.ReplaceAll(tt.src, "DIR", dir))}
			f, _ := conntrackd.Parse(c.Path, c.New)
			got := sharedPaths(c.Path, f.Paths())
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], dir, "DIR")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
