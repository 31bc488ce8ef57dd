// Package conntrackd holds the settings of a connection sync and the file that
// keeps them. [Settings] are the values that a person gives, [File] is
// conntrackd.conf read without loss, [Candidate] is the file as a save would leave
// it. Parse a file, take its Settings, change them, and make a candidate.
// It starts no daemon, asks no network and knows nothing of the screen.
package conntrackd
