package text

import (
	"fmt"
	"net/netip"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
)

// SpareRow is a spare link of the file: where it leads.
func SpareRow(s conntrackd.Settings) Row {
	return Row{Label: "Spare link", Text: Clean(linkPath(s.Interface, s.Current.Addr(), s.Peer.Addr(), s.Port))}
}

func linkPath(name string, current, peer netip.Addr, port uint16) string {
	return fmt.Sprintf("%s, %v to %v, UDP port %d", name, current, peer, port)
}

// linkRows are all links of a file with more than one: which is in use, and which
// could not take over.
func linkRows(h health.Health) []Row {
	if len(h.Links) < 2 {
		return nil
	}
	var rows []Row
	standard, used := "", health.Link{}
	for _, l := range h.Links {
		if l.Default {
			standard = l.Interface
		}
		if l.InUse {
			used = l
		}
	}
	for _, l := range h.Links {
		path := linkPath(l.Interface, l.Current, l.Peer, l.Port)
		switch {
		case l.InUse && l.Default:
			rows = append(rows, Row{Text: "link " + path + ": in use"})
		case l.InUse:
			rows = append(rows, Row{Word: Warn, Text: fmt.Sprintf("spare link %s: in use instead of %s; conntrackd returns to it only after a restart, or when %s fails", path, standard, l.Interface)})
		case l.Problem != "" && l.Default:
			rows = append(rows, Row{Word: Warn, Text: fmt.Sprintf("link %s: dead, %s", path, l.Problem)})
		case l.Problem != "":
			rows = append(rows, Row{Word: Warn, Text: fmt.Sprintf("spare link %s: dead, %s; when %s fails the sync ends", path, l.Problem, used.Interface)})
		case l.Default:
			rows = append(rows, Row{Text: "link " + path + ": ready"})
		default:
			rows = append(rows, Row{Text: "spare link " + path + ": ready"})
		}
	}
	for i := range rows {
		rows[i].Label, rows[i].Text = "links", Clean(rows[i].Text)
	}
	return rows
}
