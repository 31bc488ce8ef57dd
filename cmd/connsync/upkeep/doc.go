// Package upkeep is the commands that look after what connsync leaves on a host:
// refresh, which goes on beside conntrackd, and unprepare, which puts back what a
// save has changed. The program gives them its options, its JSON and its errors
// as a [Host].
package upkeep
