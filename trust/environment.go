package trust

import (
	"os"
	"path/filepath"
	"strings"
)

// SettleEnvironment takes from the environment of this process what would have its
// libraries open a file that anybody may have named or made: a time zone that is not a
// regular file, for which they would wait, and the log of Bubble Tea, which they would
// make. Times are told in the zone of the host then.
func SettleEnvironment() {
	_ = os.Unsetenv("TEA_TRACE")
	zone := strings.TrimPrefix(os.Getenv("TZ"), ":")
	if !filepath.IsAbs(zone) && !strings.Contains(zone, "..") {
		return
	}
	if f, err := Open(zone); err == nil && filepath.IsAbs(zone) {
		f.Close()
		return
	}
	_ = os.Unsetenv("TZ")
}
