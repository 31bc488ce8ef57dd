package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"connsync/conntrackd"
	"connsync/conntrackd/typed"
	"connsync/shell"
	"connsync/tui/text"
)

// peered is what peer --json prints.
type peered struct{ text.Peered }

func peerHelp(t conntrackd.SettingTable) string {
	return `peer prints the command to type at the other node, with the addresses swapped,
and a fingerprint of what has to be equal on both. With --expect it compares the
fingerprint with the other node's. It is over
` + text.FingerprintCovers(t) + `.

Settings that the other node would refuse are not printed: it says why.

Exit status: 0 done, or equal; 1 nothing is set, the other node would refuse it, or
not equal; 64 wrong usage.`
}

func newPeer(s streams, g *globals) *cobra.Command {
	var expect string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "peer",
		Short:   "Print the other node's command and the pair's fingerprint",
		Long:    peerHelp(g.table),
		Example: "  connsync peer\n  connsync peer --expect 907d-adee",
		RunE: func(cmd *cobra.Command, _ []string) error {
			wanted, err := fingerprint(expect)
			if cmd.Flags().Changed("expect") && wanted == "" && err == nil {
				err = &exitError{exitUsage, errors.New("--expect has no value; give the other node's fingerprint, such as 907d-adee")}
			}
			if err != nil {
				return err
			}
			c, err := openNode(cmd.Context(), *g)
			if err != nil {
				return err
			}
			saved, err := c.Load(cmd.Context())
			if err != nil {
				return err
			}
			if saved.WhyNoSettings != "" {
				return refused("nothing is set: %s", saved.WhyNoSettings)
			}
			if problems := text.PeerProblems(c.table, saved.Settings); len(problems) > 0 && wanted == "" {
				return c.notForPeer(cmd, problems)
			}
			p := peered{text.PeeredOf(c.table, saved.Settings)}
			if wanted != "" {
				equal := wanted == p.Fingerprint
				p.Expected, p.Equal = wanted, &equal
			}
			return p.print(s, c.table, text.PeerLines(c.table, saved.Settings), c.Called, asJSON)
		},
	}
	cmd.Flags().StringVar(&expect, "expect", "", "the other node's `fingerprint`; fail when this node's differs")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// notForPeer refuses settings that are in force here and that the peer's apply would not
// take.
func (c *cli) notForPeer(cmd *cobra.Command, problems []conntrackd.Problem) error {
	for _, p := range problems {
		fmt.Fprintf(cmd.ErrOrStderr(), "connsync: the peer cannot be given the settings in %s: it would refuse --%s: %s\n",
			text.Clean(c.Config), p.Field.Flag(), text.Clean(p.Message))
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "connsync: change them on this node first, with "+text.Clean(c.Called.Command("apply")))
	return &problemsError{problems, &exitError{exitRefused, nil}}
}

func (p peered) print(s streams, t conntrackd.SettingTable, lines []string, called shell.Program, asJSON bool) error {
	if p.Equal != nil {
		lines = []string{"Equal: both nodes have the fingerprint " + p.Fingerprint + "."}
		if !*p.Equal {
			lines = []string{
				fmt.Sprintf("Not equal: %s here, %s on the other node.", p.Fingerprint, p.Expected),
				"Compare " + text.Clean(called.OnBoth("show")) + " on both. These have to be equal: " + text.FingerprintCovers(t) + ".",
			}
		}
	}
	var err error
	if asJSON {
		err = printJSON(s.out, p)
	} else {
		err = sayLines(s.out, lines)
	}
	if err == nil && p.Equal != nil && !*p.Equal {
		err = &exitError{exitRefused, nil}
	}
	return err
}

// fingerprint reads one as a person types it, with or without its dash.
func fingerprint(given string) (string, error) {
	digits := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(given), "-", ""))
	switch {
	case given == "":
		return "", nil
	case len(digits) != 8 || strings.Trim(digits, "0123456789abcdef") != "":
		return "", &exitError{exitUsage, fmt.Errorf("--expect %s is not a fingerprint, such as 907d-adee", typed.Show(given))}
	}
	return digits[:4] + "-" + digits[4:], nil
}
