package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"connsync/conntrackd/hostfile"
	"connsync/netcheck/firewall"
	"connsync/node"
	"connsync/tui/text"
)

// firewallReport is what firewall --install and --remove print with --json.
type firewallReport struct {
	Action  string             `json:"action"`  // install or remove
	Changed bool               `json:"changed"` // something was, or with --dry-run would be
	Done    bool               `json:"done"`    // the rules are in force, or gone
	File    string             `json:"file"`    // of the host
	Files   []firewallFile     `json:"files"`
	Nft     string             `json:"nft"` // carried out on the rules that run
	Foreign []firewall.Foreign `json:"foreign"`
	Notes   []string           `json:"notes"`
	Error   string             `json:"error,omitempty"`
}

type firewallFile struct {
	Path string `json:"path"`
	Diff string `json:"diff"`
}

// firewallDiffs are the changes of files that people know; the journal is connsync's.
func firewallDiffs(c *node.FirewallChange) []firewallFile {
	list := []firewallFile{}
	for _, f := range c.Files {
		if f.Needed() {
			list = append(list, firewallFile{f.Path, hostfile.Diff(f.Path, f.Read, f.Content)})
		}
	}
	return list
}

// reportFirewall says what was done or would be. failure is of the change itself,
// refusal is why none was made.
func reportFirewall(c *node.FirewallChange, s streams, f firewallFlags, failure, refusal error) error {
	wrong := errors.Join(failure, refusal)
	if f.asJSON {
		r := firewallReport{Action: c.Action, Changed: c.Needed() && wrong == nil, Done: wrong == nil && !(f.dryRun && c.Needed()), File: c.HostFile,
			Files: firewallDiffs(c), Nft: c.Script, Foreign: append([]firewall.Foreign{}, c.Foreign...), Notes: orEmpty(c.Notes)}
		if wrong != nil {
			r.Error = wrong.Error()
		}
		if err := printJSON(s.out, r); err != nil {
			return err
		}
		if wrong != nil {
			return &exitError{exitRefused, nil}
		}
		return nil
	}
	switch {
	case refusal != nil:
		for _, o := range c.Foreign {
			section(s.out, fmt.Sprintf("%s: %s. Run these commands, and make them permanent:", text.Clean(o.Chain), text.Clean(o.Why)), o.Commands)
		}
		return refusal
	case failure != nil:
		return failure
	}
	return firewallSentence(c, s.out, f)
}

func firewallSentence(c *node.FirewallChange, w io.Writer, f firewallFlags) error {
	if f.dryRun && c.Needed() {
		_, err := fmt.Fprintln(w, firewallReview(c)+text.NothingChanged)
		return err
	}
	admits := fmt.Sprintf("%s from %v on %s alone", c.Flow.Where(), c.Flow.Peer.Addr(), c.Flow.Interface)
	for _, l := range c.Flow.Spares {
		admits += fmt.Sprintf(", and UDP port %d from %v on %s", l.Port, l.Peer.Addr(), l.Interface)
	}
	said := "Done: the rules admit " + admits + ", now and whenever " + c.HostFile + " is loaded."
	switch {
	case c.Action == "remove" && !c.Needed():
		said = "Nothing to do: no connsync rules are installed."
	case c.Action == "remove":
		said = "Done: connsync's rules were removed, and the host's file is as it was."
	case !c.Needed():
		said = "Nothing to do: the rules already admit " + admits + ", and " + c.HostFile + " loads them."
	}
	lines := []string{text.Clean(said)}
	for _, note := range c.Notes {
		lines = append(lines, text.Clean("Note: "+note))
	}
	return sayLines(w, lines)
}

// firewallReview is the change as it is shown before anything happens.
func firewallReview(c *node.FirewallChange) string {
	var lines []string
	for _, f := range firewallDiffs(c) {
		lines = append(lines, cleanLines(f.Diff)...)
	}
	if c.Script != "" {
		lines = append(lines, "nft -f - <<END")
		lines = append(append(lines, cleanLines(c.Script)...), "END")
	}
	for _, note := range c.Notes {
		lines = append(lines, text.Clean("Note: "+note))
	}
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintln(&b, line)
	}
	return b.String()
}
