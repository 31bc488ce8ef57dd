package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"connsync/conntrackd"
	"connsync/node"
	"connsync/tui/text"
)

// shown is what show --json prints: the settings in the order of the table,
// then what else is known. Enabled is null where the service could not be looked
// at, or is left alone, and where the sync is neither enabled nor disabled: then
// Running and AtBoot are there. Running is there too where an enabled sync was
// killed.
type shown struct {
	settings []shownSetting
	beside   shownBeside
}

type shownSetting struct {
	field conntrackd.Field
	value any
}

type shownBeside struct {
	Config      string `json:"config"`
	Running     *bool  `json:"running,omitempty"`
	AtBoot      *bool  `json:"at_boot,omitempty"`
	Application string `json:"application,omitempty"`  // what states one says
	OutOfPlace  string `json:"out_of_place,omitempty"` // why there should be no sync here
}

// MarshalJSON is one object: the settings, then what is beside them.
func (s shown) MarshalJSON() ([]byte, error) {
	var out, one bytes.Buffer
	encoder := json.NewEncoder(&one)
	encoder.SetEscapeHTML(false) // as printJSON
	out.WriteByte('{')
	for _, e := range s.settings {
		one.Reset()
		if err := encoder.Encode(e.value); err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%q:%s,", e.field, one.Bytes())
	}
	one.Reset()
	if err := encoder.Encode(s.beside); err != nil {
		return nil, err
	}
	out.Write(one.Bytes()[1:]) // goes on after the brace
	return out.Bytes(), nil
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
			saved, err := n.Load(cmd.Context())
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

func (n *cli) shown(saved node.Saved) shown {
	out := shownBeside{Config: n.Config}
	if a, err := n.Appliance(); err == nil {
		out.Application = a.Word
	}
	out.OutOfPlace = n.OutOfPlace(saved)
	known := false // whether the sync is enabled
	switch {
	case saved.StateErr != nil, n.Unmanaged():
	case saved.HalfEnabled() != "", saved.ForeignFile() != "":
		atBoot := saved.State.AtBoot()
		out.Running, out.AtBoot = &saved.State.Active, &atBoot
	default:
		known = true
		if saved.Crashed() != "" {
			out.Running = &saved.State.Active
		}
	}
	var settings []shownSetting
	for _, e := range n.table {
		value := e.JSON(saved.Settings)
		if e.Field == conntrackd.FieldEnabled && !known {
			value = nil
		}
		settings = append(settings, shownSetting{e.Field, value})
	}
	return shown{settings, out}
}

func (n *cli) printSettings(w io.Writer, s node.Saved) {
	v := n.table.Values(s.Settings)
	switch {
	case n.Unmanaged():
		v[conntrackd.FieldEnabled] = "unknown: the service is left alone"
	case s.StateErr != nil:
		v[conntrackd.FieldEnabled] = "unknown: " + s.StateErr.Error()
	case s.HalfEnabled() != "":
		v[conntrackd.FieldEnabled] = "half: " + s.HalfEnabled()
	case s.ForeignFile() != "":
		v[conntrackd.FieldEnabled] = "no: " + s.ForeignFile()
	}
	line := func(label, value string) {
		fmt.Fprintf(w, "%-20s %s\n", label, cmp.Or(text.Clean(value), "-"))
	}
	for _, e := range n.table {
		line(e.Label, v[e.Field])
	}
	line("File", n.Config)
	if dead := s.Crashed(); dead != "" {
		fmt.Fprintln(w, "Note: "+dead+".")
	}
	for _, d := range s.Warnings {
		fmt.Fprintln(w, "Note: "+text.Clean(fmt.Sprintf("%s:%d:%d: %s.", n.Config, d.Line, d.Column, d.Message)))
	}
	if out := n.OutOfPlace(s); out != "" {
		fmt.Fprintln(w, "Note: "+text.Clean(out)+".")
	}
	if s.WhyNoSettings != "" {
		fmt.Fprintln(w, "Nothing is set: "+text.Clean(s.WhyNoSettings)+".")
	}
}
