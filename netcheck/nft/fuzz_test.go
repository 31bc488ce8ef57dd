package nft

import (
	"testing"

	"github.com/google/nftables"
)

// FuzzAnswer holds that what the kernel says of rules, sets and hooks is read, or an
// error, whatever its bytes are.
func FuzzAnswer(f *testing.F) {
	for _, b := range [][]byte{nil,
		{24, 0, 1, 0x80, 8, 0, 1, 0, 'l', 'o', 'g', 0, 8, 0, 2, 0x80, 4, 0, 1, 0},            // a log without its prefix
		{16, 0, 2, 0x80, 12, 0, 1, 0x80, 8, 0, 1, 0, 0, 0, 0, 4},                             // the size of a field
		{20, 0, 1, 0x80, 16, 0, 1, 0x80, 12, 0, 1, 0x80, 8, 0, 1, 0, 0, 0, 0, 4},             // a key
		{8, 0, 1, 0, 0, 0, 0, 1, 16, 0, 4, 0x80, 9, 0, 1, 0, 'e', 't', 'h', '1', 0, 0, 0, 0}, // a device
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = Expressions(nftables.TableFamilyIPv4, b)
		(&Set{}).readFields(b)
		_ = (&Set{}).readElements(b)
		_ = (&Chain{}).readHook(b)
	})
}
