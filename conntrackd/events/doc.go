// Package events tells what has happened to the sync of this node: changes of verdict,
// saves, rollbacks, failovers, and starts and ends of the daemon. It reads the records
// that exist; only changes of verdict have one of their own, which a [Recorder] keeps.
package events
