package conntrackd

import "io"

// ReplaceFile makes content the content of a host's file, nil for no file. At
// every instant the file is the whole old one or the whole new one; mode, owner,
// extended attributes and a symbolic link stay. Unless the file still is as
// read, nil for no file, it fails with a *[ChangedError]. The caller holds the
// lock of [LockWriter].
func ReplaceFile(path string, read, content []byte) error {
	return newFiles().put(path, read, content)
}

// LockWriter takes the lock that every writer holds, until it is closed. It
// returns a *[BusyError] when somebody else is writing.
func LockWriter(runtimeDir string) (io.Closer, error) {
	lock, err := lockWriter(runtimeDir)
	if err != nil {
		return nil, err
	}
	return lock, nil
}

// Diff is the change of a file, unified; nil stands for no file. It holds the
// file's own text: control characters are the reader's to strip.
func Diff(path string, old, now []byte) string { return unifiedDiff(path, old, now) }
