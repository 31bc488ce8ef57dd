package apply

import (
	"os"
	"testing"
	"time"
)

// A file is as it was saved by its content: not where an older one was copied over it with
// its old times, and still where its mode alone has changed. A daemon that was started
// before the save runs with another one.
func TestFileAsSaved(t *testing.T) {
	s := newSaver(t)
	began := time.Now()
	asSaved := func(what string, before time.Time, want bool) {
		t.Helper()
		if got := s.history().AsSaved(s.path, before); got != want {
			t.Errorf("%s: the file is as it was saved: %t, want %t", what, got, want)
		}
	}
	asSaved("no save", time.Now(), false)
	s.save("# old\n")
	s.save("# new\n")
	asSaved("after the save", time.Now(), true)
	asSaved("before the save", began, false)
	if err := os.Chmod(s.path, 0o640); err != nil {
		t.Fatal(err)
	}
	asSaved("after chmod", time.Now(), true)
	for _, test := range []struct {
		content string
		want    bool
	}{{"# old\n", false}, {"# new\n", true}} {
		copied := s.path + ".copied"
		if err := os.WriteFile(copied, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(copied, began.Add(-time.Hour), began.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(copied, s.path); err != nil {
			t.Fatal(err)
		}
		asSaved("after mv of "+test.content, time.Now(), test.want)
	}
	if err := os.Remove(s.path); err != nil {
		t.Fatal(err)
	}
	asSaved("without the file", time.Now(), false)
}
