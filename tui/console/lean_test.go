package console

import (
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What was written to, such as what the dynamic loader has relocated, is lost where it is
// unmapped; what belongs to another file is not ours to unmap.
func TestCleanMappings(t *testing.T) {
	const smaps = `56021a253000-56021a8a7000 r-xp 00000000 fe:00 10536442                   /usr/sbin/connsync
Size:               6480 kB
Rss:                4428 kB
Anonymous:             0 kB
56021a8a7000-56021ae8e000 r--p 00654000 fe:00 10536442                   /usr/sbin/connsync
Anonymous:             0 kB
56021ae8e000-56021afde000 r--p 00c3b000 fe:00 10536442                   /usr/sbin/connsync
Private_Dirty:      1152 kB
Anonymous:          1152 kB
56021afde000-56021b0aa000 rw-p 00d8b000 fe:00 10536442                   /usr/sbin/connsync
Anonymous:             0 kB
56021b0aa000-56021d312000 rw-p 00000000 00:00 0 
Anonymous:             0 kB
7fd385429000-7fd38544f000 r-xp 00001000 fe:00 325835                     /usr/lib/connsync
Anonymous:             0 kB
7fd385430000-7fd385431000 r-xp 00000000 fe:00 325836                     /usr/sbin/connsync (deleted)
Anonymous:             0 kB
`
	want := []mapping{{0x56021a253000, 0x654000}, {0x56021a8a7000, 0x5e7000}}
	if diff := cmp.Diff(want, clean(smaps, "/usr/sbin/connsync"), cmp.AllowUnexported(mapping{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The test's own program, whose code is among what is unmapped, goes on.
func TestDropProgram(t *testing.T) {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	code := reflect.ValueOf(clean).Pointer()
	if all := clean(string(smaps), program); !slices.ContainsFunc(all, func(m mapping) bool { return code-m.start < m.size }) {
		t.Fatalf("the code is not in %x of\n%s", all, smaps)
	}
	dropProgram()
	if got := clean(string(smaps), "none"); got != nil {
		t.Errorf("mappings of a file that is not there: %v", got)
	}
}
