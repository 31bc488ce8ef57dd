package journal

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzJournal holds that whatever journalctl prints is read line by line, and
// nothing is read out of nothing.
func FuzzJournal(f *testing.F) {
	for _, s := range []string{"", "{}", `{"MESSAGE":"x","_PID":"7"}`, `{"MESSAGE":[120,27],"_PID":"7"}`, `{"MESSAGE":[110,101,101,100,255]}`, `{"MESSAGE":[[100,105,101,100],[255,104,101,108,100]]}`,
		`{"MESSAGE":null}`, `{"MESSAGE":["a",[98],null]}`,
		`{"MESSAGE":[[[[[1]]]]]}`, `{"MESSAGE":[65536]}`, `{"_PID":"1","MESSAGE":"systemd's own"}`, "{\"MESSAGE\":\"cut"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, printed []byte) {
		lines, _ := parseJournal(bytes.NewReader(printed))
		if most := bytes.Count(printed, []byte("\n")) + 1; len(lines) > most {
			t.Errorf("%d lines out of %d", len(lines), most)
		}
		if said := len(strings.Join(lines, "")); said > 64*(len(printed)+1) {
			t.Errorf("%d bytes out of %d", said, len(printed))
		}
	})
}
