package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"connsync/cmd/connsync/fromfile"
	"connsync/conntrackd"
	"connsync/tui/text"
)

// readFrom reads the --from file before anything else is looked at.
func (f *settingFlags) readFrom(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("from") {
		return nil
	}
	if f.from == "" {
		return &exitError{exitUsage, errors.New("--from has no value; it takes a file, or - for standard input")}
	}
	given, problems, err := fromfile.Read(cmd.Context(), f.from, cmd.InOrStdin(), f.table)
	if cmd.Context().Err() != nil {
		return cmd.Context().Err()
	}
	if err != nil {
		return &exitError{exitUsage, err}
	}
	f.given = given
	return fromProblems(cmd, problems)
}

// fromProblems prints every problem with its place; nil where there is none.
func fromProblems(cmd *cobra.Command, problems []fromfile.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	refusal := &problemsError{exit: &exitError{exitUsage, nil}}
	for _, p := range problems {
		fmt.Fprintln(cmd.ErrOrStderr(), "connsync: "+text.Clean(p.Place+": "+p.Message))
		refusal.problems = append(refusal.problems, p.Problem)
	}
	return refusal
}

// statesEnabled says whether it was said if the sync is to be enabled.
func (f *settingFlags) statesEnabled() bool {
	return f.enable || f.disable || f.given.StatesEnabled()
}

// flagged says whether a flag gives the setting.
func (f *settingFlags) flagged(cmd *cobra.Command, field conntrackd.Field) bool {
	if field == conntrackd.FieldEnabled {
		return f.enable || f.disable
	}
	return cmd.Flags().Changed(field.Flag())
}

// origin is where a setting's value came from, as a message names it: the flag also
// where there is no value yet.
func (f *settingFlags) origin(cmd *cobra.Command, field conntrackd.Field) string {
	switch setting, _ := f.table.Find(field); {
	case f.flagged(cmd, field):
	case f.given.Names(field):
		return f.given.Place(field) + ": " + string(field)
	case f.saved.Content != nil && setting.Text(f.saved.Settings) != "" && field != conntrackd.FieldEnabled:
		return fmt.Sprintf("%s: %s (--%s changes it)", f.saved.File.Name(), field, field.Flag())
	}
	return "--" + field.Flag()
}
