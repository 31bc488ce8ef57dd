package conntrackd

// Candidate is the file as it would be after a save, with what there is to
// know about the change before it happens.
type Candidate struct {
	Path     string   // the configuration file
	Settings Settings // what the candidate was made from
	Old      []byte   // nil when there is no file yet
	New      []byte   // nil where the save takes the file away
	// Replaces lists what the save would take away and the operator has to
	// agree to, such as "Multicast link on eth1"; blank in the ordinary case.
	Replaces []string
	// Notes are sentences for the review: what else changes, and why.
	Notes []string
	// Restore is the state that the service is to be in, where Settings.Enabled
	// does not tell it all; nil in the ordinary case.
	Restore *Running
	// Undoes is the number of the save that this one takes back; zero in the
	// ordinary case.
	Undoes int
	// Binary is the conntrackd program that judges the candidate; blank means
	// the one that is found in PATH or in /usr/sbin.
	Binary string
}

// WantedService is what the service is to do after the save.
func (c *Candidate) WantedService() Running {
	if c.Restore != nil {
		return *c.Restore
	}
	return Running{c.Settings.Enabled, c.Settings.Enabled}
}

// OldListening is [File.listening] of the old file.
func (c *Candidate) OldListening() (Settings, bool) {
	f, _ := Parse(c.Path, c.Old)
	return f.listening()
}

// Syncs reports whether the daemon is to run with a link that can be looked at.
func (c *Candidate) Syncs() bool {
	s := c.Settings
	return c.WantedService().Active && s.Interface != "" && s.Current.Addr().IsValid() && s.Port != 0
}

// Running is what a service does, now and at boot.
type Running struct {
	Active  bool `json:"active"`
	Enabled bool `json:"enabled"`
}
