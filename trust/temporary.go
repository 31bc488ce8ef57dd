package trust

import "os"

// TemporaryDirectory makes a directory in that of temporary files. Where another user
// could exchange it there, as in a TMPDIR of that user's, it is made in /tmp.
func TemporaryDirectory(pattern string) (string, error) {
	dir := os.TempDir()
	if Path(dir) != nil {
		dir = "/tmp"
	}
	return os.MkdirTemp(dir, pattern)
}
