package journal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseJournal(t *testing.T) {
	in := strings.Join([]string{
		`{"MESSAGE":"Starting conntrackd.service","_PID":"1"}`,
		`{"MESSAGE":"[ERROR] symbol 'banana'","_PID":"77"}`,
		`{"MESSAGE":[27,91,51,49,109,255],"_PID":"77"}`,
		`{"MESSAGE":null,"_PID":"77"}`,
		`{"MESSAGE":["one",[116,119,111]],"_PID":"77"}`,
		`{"_PID":["77","78"]}`,
		`{"MESSAGE":"cut of`,
	}, "\n")
	got, err := parseJournal(strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"[ERROR] symbol 'banana'", "\x1b[31m\xff", "(a line too long for the journal to show)", "one two",
		"(a line too long for the journal to show)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("lines (-want +got)", diff)
	}
	if _, err := parseJournal(strings.NewReader(strings.Repeat("x", 2<<20))); err == nil {
		t.Error("a line without end is read to its end")
	}
}
