// Package hostfile changes files of the host safely. [Replace] writes a file
// atomically and keeps its metadata, [LockWriter] keeps other writers out, [Journal]
// remembers what was there before a change, so that it can be undone.
// Take the lock, then replace, or change through the journal.
// It knows nothing of what stands in the files.
package hostfile
