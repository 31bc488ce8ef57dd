package coverage

import (
	"testing"

	"connsync/lab"
)

// What the kernel tells shows in an entry of the nodes' own, without a namespace, which a
// hardened unit may not make; an empty table shows nothing.
func TestWrittenShowsInReports(t *testing.T) {
	ns, err := lab.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	want, tried := tryWriting()
	if !tried {
		t.Fatal("nothing could be written")
	}
	err = ns.Do(func() error {
		if shows, known := writtenShow(t.Context(), MessageMark); shows || known {
			t.Errorf("an empty table shows %t, %t", shows, known)
		}
		if err := writeMarked(); err != nil {
			return err
		}
		if shows, known := writtenShow(t.Context(), MessageMark); !known || shows != want {
			t.Errorf("a report shows %t, %t; want %t", shows, known, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
