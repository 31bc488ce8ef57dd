// Package trial asks conntrackd itself about a file before it is used. [Lint] has
// the daemon read it, [DryStart] starts one with it in a network namespace of its own.
// Give it a candidate; the file in force and the running daemon are not touched.
// It knows nothing of the service that runs the daemon.
package trial
