package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"connsync/conntrackd"
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
	out := shownBeside{Config: n.config}
	if a, err := n.appliance(); err == nil {
		out.Application = a.word
	}
	out.OutOfPlace = n.outOfPlace(saved)
	known := false // whether the sync is enabled
	switch {
	case saved.unseen != nil, n.unmanaged():
	case saved.half() != "", saved.foreign() != "":
		atBoot := saved.state.AtBoot()
		out.Running, out.AtBoot = &saved.state.Active, &atBoot
	default:
		known = true
		if saved.dead() != "" {
			out.Running = &saved.state.Active
		}
	}
	var settings []shownSetting
	for _, e := range n.table {
		value := e.JSON(saved.settings)
		if e.Field == conntrackd.FieldEnabled && !known {
			value = nil
		}
		settings = append(settings, shownSetting{e.Field, value})
	}
	return shown{settings, out}
}

func (n *cli) printSettings(w io.Writer, s saved) {
	v := n.table.Values(s.settings)
	switch {
	case n.unmanaged():
		v[conntrackd.FieldEnabled] = "unknown: the service is left alone"
	case s.unseen != nil:
		v[conntrackd.FieldEnabled] = "unknown: " + s.unseen.Error()
	case s.half() != "":
		v[conntrackd.FieldEnabled] = "half: " + s.half()
	case s.foreign() != "":
		v[conntrackd.FieldEnabled] = "no: " + s.foreign()
	}
	line := func(label, value string) {
		fmt.Fprintf(w, "%-20s %s\n", label, cmp.Or(text.Clean(value), "-"))
	}
	for _, e := range n.table {
		line(e.Label, v[e.Field])
	}
	line("File", n.config)
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
