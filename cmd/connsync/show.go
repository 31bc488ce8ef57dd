package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"connsync/tui/text"
)

// shown is what show --json prints. Enabled is null where the service could
// not be looked at, or is left alone, and where the sync is neither enabled nor
// disabled: then Running and AtBoot are there. Running is there too where an
// enabled sync was killed.
type shown struct {
	Enabled       *bool  `json:"enabled"`
	Interface     string `json:"interface"`
	CurrentIP     string `json:"current_ip"`
	PeerIP        string `json:"peer_ip"`
	Port          uint16 `json:"port"`
	SendBuffer    int    `json:"send_buffer"`
	ReceiveBuffer int    `json:"receive_buffer"`
	ExternalCache bool   `json:"external_cache"`
	Config        string `json:"config"`
	Running       *bool  `json:"running,omitempty"`
	AtBoot        *bool  `json:"at_boot,omitempty"`
	Application   string `json:"application,omitempty"`  // what states one says
	OutOfPlace    string `json:"out_of_place,omitempty"` // why there should be no sync here
}

func newShow(s streams, g *globals) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the settings in force",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := openNode(cmd.Context(), *g)
			if err != nil {
				return err
			}
			saved, err := n.load(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(s.out, n.shown(saved))
			}
			n.printSettings(s.out, saved)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (n *cli) shown(saved saved) shown {
	s, v := saved.settings, saved.settings.Values()
	out := shown{
		Interface: s.Interface, CurrentIP: v.CurrentIP, PeerIP: v.PeerIP, Port: s.Port,
		SendBuffer: s.SendBuffer, ReceiveBuffer: s.ReceiveBuffer, ExternalCache: s.ExternalCache, Config: n.config,
	}
	if a, err := n.appliance(); err == nil {
		out.Application = a.word
	}
	out.OutOfPlace = n.outOfPlace(saved)
	switch {
	case saved.unseen != nil, n.unmanaged():
	case saved.half() != "", saved.foreign() != "":
		atBoot := saved.state.AtBoot()
		out.Running, out.AtBoot = &saved.state.Active, &atBoot
	default:
		out.Enabled = &s.Enabled
		if saved.dead() != "" {
			out.Running = &saved.state.Active
		}
	}
	return out
}

func (n *cli) printSettings(w io.Writer, s saved) {
	v := s.settings.Values()
	switch {
	case n.unmanaged():
		v.Enabled = "unknown: the service is left alone"
	case s.unseen != nil:
		v.Enabled = "unknown: " + s.unseen.Error()
	case s.half() != "":
		v.Enabled = "half: " + s.half()
	case s.foreign() != "":
		v.Enabled = "no: " + s.foreign()
	}
	for _, line := range [][2]string{
		{"Enable Sync", v.Enabled},
		{"Interface Name", v.Interface},
		{"Current IP", v.CurrentIP},
		{"Peer IP", v.PeerIP},
		{"Port", v.Port},
		{"Send Buffer Size", v.SendBuffer},
		{"Receive Buffer Size", v.ReceiveBuffer},
		{"External Cache", v.ExternalCache},
		{"File", n.config},
	} {
		value := text.Clean(line[1])
		if value == "" {
			value = "-"
		}
		fmt.Fprintf(w, "%-20s %s\n", line[0], value)
	}
	if dead := s.dead(); dead != "" {
		fmt.Fprintln(w, "Note: "+dead+".")
	}
	for _, d := range s.warnings {
		fmt.Fprintln(w, "Note: "+text.Clean(fmt.Sprintf("%s:%d:%d: %s.", n.config, d.Line, d.Column, d.Message)))
	}
	if out := n.outOfPlace(s); out != "" {
		fmt.Fprintln(w, "Note: "+text.Clean(out)+".")
	}
	if s.none != "" {
		fmt.Fprintln(w, "Nothing is set: "+text.Clean(s.none)+".")
	}
}
