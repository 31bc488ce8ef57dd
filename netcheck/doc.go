// Package netcheck looks at this host's network and at the way to the sync peer:
// interfaces, subnet rules and probes, as a plan of checks. Make a [Target] of the
// settings, a [Plan] of the target, and run it with [check.Run].
// Probes send only what cannot disturb a peer's sync.
// It knows nothing of conntrackd's files and nothing of the screen.
package netcheck
