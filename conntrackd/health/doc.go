// Package health judges the sync. An [Observer] gathers evidence from the
// service, the control socket, the daemon's sockets and the wire, and says a
// [Verdict] with its cause and what to do. A [Prover] sends test states both ways.
// Make an observer, start it, and observe. It changes nothing on the host but for test
// states, asks the peer for states that are missing here, and prints nothing.
package health
