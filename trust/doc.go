// Package trust reads files and looks at processes that any local user may have
// made, and runs programs that none of them could have. Nothing here waits for such a
// file, reads it without end, or takes a process for a daemon because of its name.
package trust
