// Package upkeep is the commands that look after what connsync leaves on a host:
// refresh, which goes on beside conntrackd, unprepare, which undoes what a save has
// changed, and events, which lists what is on record. The program gives them its options,
// its JSON and its errors as a [Host].
package upkeep
