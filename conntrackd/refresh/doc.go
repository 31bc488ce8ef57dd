// Package refresh keeps the peer's copies of connections alive that are in use here:
// a packet that changes no state makes no event, so the peer's kernel lets them expire.
// A [Refresher] has the kernel report such entries again, and conntrackd sends them.
// It makes, changes and removes no entry. It works in the thread's network namespace.
package refresh
