package conntrackd

// distributionValues are the settings of the files that distributions install and
// nobody has tuned: Debian's and the statistics sample of conntrack-tools,
// which Fedora installs. The directives are named with their sections.
var distributionValues = map[string][]string{
	"General HashSize":                   {"8192"},
	"General HashLimit":                  {"65535"},
	"General LogFile":                    {"on"},
	"General Syslog":                     {"on"},
	"General LockFile":                   {"/var/lock/conntrackd.lock", "/var/lock/conntrack.lock"},
	"General UNIX Path":                  {"/var/run/conntrackd.sock", "/var/run/conntrackd.ctl"},
	"General UNIX Backlog":               {"20"},
	"General NetlinkBufferSize":          {"262142"},
	"General NetlinkBufferSizeMaxGrowth": {"655355"},
	"General Systemd":                    {"on", "off"},
	"Stats LogFile":                      {"on"},
	"Stats Syslog":                       {"on"},

	"General Filter Protocol TCP":         {""},
	"General Filter Address IPv4_address": {"127.0.0.1"},
}

// isDistributionFile reports whether the file is a distribution's own statistics
// file with nothing changed in it but comments and layout. Such a file is turned into one
// for the sync without a question.
func (f *File) isDistributionFile() bool {
	if f.cut >= 0 || f.open || len(named(f.top, "Stats")) == 0 {
		return false
	}
	return f.allAsDistributed(f.top, "")
}

func (f *File) allAsDistributed(nodes []*node, path string) bool {
	for _, n := range nodes {
		if n.rule == nil {
			return false
		}
		name := path + n.rule.name()
		if n.open >= 0 {
			if !f.allAsDistributed(n.children, name+" ") {
				return false
			}
			continue
		}
		known := false
		for _, v := range distributionValues[name] {
			known = known || v == f.arg(n, 0)
		}
		if !known {
			return false
		}
	}
	return true
}
