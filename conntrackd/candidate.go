package conntrackd

// Candidate is the file as it would be after a save, with what there is to
// know about the change before it happens.
type Candidate struct {
	Path     string   // the configuration file
	Settings Settings // what the candidate was made from
	Old      []byte   // nil when there is no file yet
	New      []byte
	// Replaces lists what the save would take away and the operator has to
	// agree to, such as "Multicast link on eth1"; blank in the ordinary case.
	Replaces []string
	// Notes are sentences for the review: what else changes, and why.
	Notes []string
	// Binary is the conntrackd program that judges the candidate; blank means
	// the one that is found in PATH or in /usr/sbin.
	Binary string
}
