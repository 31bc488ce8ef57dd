package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"connsync/conntrackd"
	"connsync/conntrackd/service"
	"connsync/node"
	"connsync/tui/text"
)

// shown is what show --json prints: the settings in the order of the table,
// then what else is known. Enabled is null where the service could not be read,
// is left alone or is not what runs conntrackd, and where the sync is neither enabled nor disabled: then
// Running is there, and AtBoot where it is known. Running is there too where an enabled sync was
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
	Config      string    `json:"config"`
	ConfigWhy   string    `json:"config_why,omitempty"` // why it is this one, where the service was asked
	Summary     string    `json:"summary,omitempty"`    // what the settings mean
	Role        node.Role `json:"role,omitempty"`       // what external_cache comes down to
	Running     *bool     `json:"running,omitempty"`
	AtBoot      *bool     `json:"at_boot,omitempty"`
	StateInRAM  bool      `json:"state_in_ram,omitempty"`
	Application string    `json:"application,omitempty"`  // what states one says
	OutOfPlace  string    `json:"out_of_place,omitempty"` // why there should be no sync here
}

// MarshalJSON is one object: the settings, then what is beside them.
func (s shown) MarshalJSON() ([]byte, error) {
	var out, value bytes.Buffer
	encoder := json.NewEncoder(&value)
	encoder.SetEscapeHTML(false) // as printJSON
	out.WriteByte('{')
	for _, e := range s.settings {
		value.Reset()
		if err := encoder.Encode(e.value); err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%q:%s,", e.field, value.Bytes())
	}
	value.Reset()
	if err := encoder.Encode(s.beside); err != nil {
		return nil, err
	}
	out.Write(value.Bytes()[1:]) // goes on after the brace
	return out.Bytes(), nil
}

func newShow(s streams, g *globals) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the settings in force",
		Long: `show prints the settings in force: those of conntrackd.conf, and whether conntrackd
runs and starts at boot. --from takes the output of show --json.

Exit status: 0 done, 1 the settings could not be read, 64 wrong usage.`,
		Example: "  connsync show\n  connsync show --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := openNode(cmd.Context(), *g)
			if err != nil {
				return err
			}
			saved, err := c.Load(cmd.Context())
			if err != nil {
				return err
			}
			if other := service.Elsewhere(c.Service, saved.State, c.Config); saved.StateErr == nil && other != nil {
				saved.StateErr = other // the service does not say what that daemon does
			}
			if asJSON {
				return printJSON(s.out, c.shown(saved))
			}
			c.printSettings(s.out, saved)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *cli) shown(saved node.Saved) shown {
	out := shownBeside{Config: c.Config, ConfigWhy: cmp.Or(c.Unread, c.ConfigWhy), Role: node.RoleOf(saved.Settings), StateInRAM: c.StateInRAM() != "", OutOfPlace: c.OutOfPlace(saved), Summary: text.InForce(saved.Standing())}
	if a, err := c.Appliance(); err == nil {
		out.Application = a.Word
	}
	known := false // whether the sync is enabled
	switch {
	case saved.StateErr != nil, c.Unmanaged():
	case saved.HalfEnabled() != "", saved.ForeignFile() != "":
		out.Running, out.AtBoot = &saved.State.Active, saved.State.AtBoot()
	default:
		known = true
		if saved.Crashed(c.Called) != "" {
			out.Running = &saved.State.Active
		}
	}
	var settings []shownSetting
	for _, e := range c.table {
		value := e.JSON(saved.Settings)
		if e.Field == conntrackd.FieldEnabled && !known {
			value = nil
		}
		settings = append(settings, shownSetting{e.Field, value})
	}
	return shown{settings, out}
}

func (c *cli) printSettings(w io.Writer, s node.Saved) {
	v := c.table.Values(s.Settings)
	switch {
	case c.Unmanaged():
		v[conntrackd.FieldEnabled] = "unknown: --service none does not look at the service"
	case s.StateErr != nil:
		v[conntrackd.FieldEnabled] = "unknown: " + s.StateErr.Error()
	case s.HalfEnabled() != "":
		v[conntrackd.FieldEnabled] = "half: " + s.HalfEnabled()
	case s.ForeignFile() != "":
		v[conntrackd.FieldEnabled] = "no: " + s.ForeignFile()
	}
	if meaning := text.InForce(s.Standing()); meaning != "" {
		fmt.Fprintln(w, meaning)
	}
	line := func(label, value string) {
		fmt.Fprintf(w, "%-20s %s\n", label, cmp.Or(text.Whole(value), "-"))
	}
	host, _ := conntrackd.ReadHost() // else the usual size is assumed
	for _, e := range c.table.Told(s.Settings, host) {
		if e.Kind != conntrackd.LinksSetting {
			line(e.Label, v[e.Field])
		}
	}
	for _, l := range s.Settings.Spares() {
		r := text.SpareRow(l)
		line(r.Label, r.Text)
	}
	line("File", c.Config)
	if why := cmp.Or(c.Unread, c.ConfigWhy); why != "" {
		line("", "("+why+")")
	}
	for _, note := range []string{s.Crashed(c.Called), c.StateInRAM()} {
		if note != "" {
			fmt.Fprintln(w, "Note: "+note+".")
		}
	}
	for _, d := range s.Warnings {
		fmt.Fprintln(w, "Note: "+text.Clean(fmt.Sprintf("%s:%d:%d: %s.", c.Config, d.Line, d.Column, d.Message)))
	}
	if out := c.OutOfPlace(s); out != "" {
		fmt.Fprintln(w, "Note: "+text.Clean(out)+".")
	}
	if s.WhyNoSettings != "" {
		fmt.Fprintln(w, "Nothing is set: "+text.Clean(s.WhyNoSettings)+".")
	}
}
