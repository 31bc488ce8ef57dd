package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"connsync/conntrackd"
	"connsync/tui/text"
)

// maxFrom bounds what is read of a --from file: eight settings are far less,
// and a device or an endless pipe has no end.
const maxFrom = 64 << 10

// informs are the names in show --json that are no settings: they say where the
// settings were read from and what the host is like, and nothing follows from
// them.
func informs() map[conntrackd.Field]valueKind {
	return map[conntrackd.Field]valueKind{
		"config": kindText, "application": kindText, "out_of_place": kindText, "running": kindBoolean, "at_boot": kindBoolean,
	}
}

// givenFile is the settings of a --from file, as far as it states them.
type givenFile struct {
	name   string // of the file, for people
	values map[conntrackd.Field]givenValue
}

// givenValue is one "name: value" of the file, its value as it stands there.
type givenValue struct {
	line  int
	kind  valueKind
	value string
}

// valueKind is a JSON or YAML type, in the words of a message.
type valueKind string

const (
	kindText    valueKind = "a text"
	kindNumber  valueKind = "a whole number"
	kindBoolean valueKind = "true or false"
	kindNull    valueKind = "null"
	kindDecimal valueKind = "a number in another form"
	kindList    valueKind = "a list"
	kindTable   valueKind = "a table"
	kindOther   valueKind = "of a type that no setting has"
)

// namedValue is an entry with its name, in the order of the file.
type namedValue struct {
	name string
	givenValue
}

// givenProblem is one reason why a --from file is not used.
type givenProblem struct {
	line    int
	field   conntrackd.Field
	message string
}

// readFrom reads the --from file before anything else is looked at.
func (f *settingFlags) readFrom(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("from") {
		return nil
	}
	if f.from == "" {
		return &exitError{exitUsage, errors.New("--from has no value; it takes a file, or - for standard input")}
	}
	f.given.name = f.from
	if f.from == "-" {
		f.given.name = "standard input"
	}
	content, err := fromContent(cmd.Context(), f.from, cmd.InOrStdin())
	if cmd.Context().Err() != nil {
		return cmd.Context().Err()
	}
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("--from: %w", err)}
	}
	if len(strings.TrimSpace(string(content))) == 0 {
		return &exitError{exitUsage, fmt.Errorf("--from: %s is empty; it takes the fields of connsync show --json", f.given.name)}
	}
	list, err := parseFrom(content)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("%s:%w", f.given.name, err)}
	}
	entries, problems := fieldsOf(f.table, list)
	f.given.values = entries
	return f.given.complain(cmd, problems)
}

// complain prints every problem with its line; nil where there is none.
func (h givenFile) complain(cmd *cobra.Command, problems []givenProblem) error {
	if len(problems) == 0 {
		return nil
	}
	for _, p := range problems {
		fmt.Fprintln(cmd.ErrOrStderr(), "connsync: "+text.Clean(fmt.Sprintf("%s:%d: %s", h.name, p.line, p.message)))
	}
	refusal := &problemsError{exit: &exitError{exitUsage, nil}}
	for _, p := range problems {
		refusal.problems = append(refusal.problems, conntrackd.Problem{Field: p.field, Message: p.message})
	}
	return refusal
}

func fromContent(ctx context.Context, path string, stdin io.Reader) ([]byte, error) {
	type result struct {
		content []byte
		err     error
	}
	read := make(chan result, 1) // room for one that nobody waits for any more
	go func() {
		r := stdin
		if path != "-" {
			f, err := os.Open(path)
			if err != nil {
				read <- result{nil, err}
				return
			}
			defer f.Close()
			r = f
		}
		content, err := io.ReadAll(io.LimitReader(r, maxFrom+1))
		if err == nil && len(content) > maxFrom {
			err = fmt.Errorf("more than %d KiB: that is no file of settings", maxFrom>>10)
		}
		read <- result{content, err}
	}()
	select {
	case r := <-read:
		return r.content, r.err
	case <-ctx.Done(): // a pipe or a terminal that says nothing
		return nil, ctx.Err()
	}
}

// fieldsOf sorts the entries by setting and says what is wrong with them. What
// a setting's value has to be like is not asked here: the rules of the fields
// are the same for a file, a flag and the form.
func fieldsOf(t conntrackd.SettingTable, list []namedValue) (map[conntrackd.Field]givenValue, []givenProblem) {
	entries := map[conntrackd.Field]givenValue{}
	var problems []givenProblem
	for _, e := range list {
		field := conntrackd.Field(e.name)
		if first, twice := entries[field]; twice {
			problems = append(problems, givenProblem{e.line, field, fmt.Sprintf("%s stands here a second time, first on line %d; keep one", e.name, first.line)})
			continue
		}
		entries[field] = e.givenValue
		if m := typeProblem(t, field, e.givenValue); m != "" {
			problems = append(problems, givenProblem{e.line, field, m})
		}
	}
	for field := range informs() {
		delete(entries, field)
	}
	return entries, problems
}

const (
	notText    = "; write a text, in quotes where it could be taken for something else"
	notBoolean = "; write true or false"
)

// typeProblem says why the entry cannot be that setting; blank where it can.
func typeProblem(t conntrackd.SettingTable, field conntrackd.Field, e givenValue) string {
	is := fmt.Sprintf("%s is %s", field, e.kind)
	if e.kind == kindNull {
		is = string(field) + " has no value"
	}
	setting, ok := t.Find(field)
	switch {
	case !ok:
		return strangerProblem(t, field, e, is)
	case field == conntrackd.FieldEnabled:
		if e.kind != kindBoolean && e.kind != kindNull {
			return is + "; write true, false, or null for as it is"
		}
		return ""
	}
	switch setting.Kind {
	case conntrackd.SwitchSetting:
		if e.kind != kindBoolean {
			return is + notBoolean
		}
	case conntrackd.NumberSetting:
		if e.kind != kindNumber {
			return is + "; write a whole number without quotes, such as " + setting.Example
		}
	case conntrackd.BytesSetting:
		text := e.kind == kindText && strings.Trim(e.value, "0123456789") != "" // with a unit
		if e.kind != kindNumber && !text {
			return is + "; write the bytes as a whole number without quotes, such as 65536, or with a unit, such as 128K"
		}
	default:
		if e.kind != kindText {
			return is + notText
		}
	}
	return ""
}

// strangerProblem is typeProblem for an entry that is no setting.
func strangerProblem(t conntrackd.SettingTable, field conntrackd.Field, e givenValue, is string) string {
	switch kind := informs()[field]; {
	case kind == e.kind:
		return ""
	case kind == kindText:
		return is + notText
	case kind == kindBoolean:
		return is + notBoolean
	}
	if field == "error" && e.kind == kindText {
		return "it holds no settings, but what show --json could not do: " + e.value
	}
	var known []string
	for _, f := range t.Fields() {
		known = append(known, string(f))
	}
	return fmt.Sprintf("no setting is called %q; there are %s", field, strings.Join(known, ", "))
}

// over puts the file's values over the saved ones, but for those that a flag
// gives. What show prints for a setting that is not set, "" or 0, is no value: it is good where nothing is
// saved, and takes nothing away.
func (h givenFile) over(t conntrackd.SettingTable, saved conntrackd.Values, flagged func(conntrackd.Field) bool) (conntrackd.Values, []givenProblem) {
	v := saved
	var problems []givenProblem
	for _, field := range t.Fields() {
		e, ok := h.values[field]
		if !ok || e.kind == kindNull || flagged(field) {
			continue
		}
		unset := strings.TrimSpace(e.value) == "" || e.kind == kindNumber && e.value == "0"
		switch {
		case unset && v[field] == "":
		case strings.TrimSpace(e.value) == "":
			problems = append(problems, givenProblem{e.line, field, fmt.Sprintf("%s has no value; leave it out to keep the saved one", field)})
		default:
			v = v.With(field, e.value)
		}
	}
	return v, problems
}

// statesEnabled says whether it was said if the sync is to be enabled.
func (f *settingFlags) statesEnabled() bool {
	e, ok := f.given.values[conntrackd.FieldEnabled]
	return f.enable || f.disable || ok && e.kind == kindBoolean
}

// flagged says whether a flag gives the setting.
func (f *settingFlags) flagged(cmd *cobra.Command, field conntrackd.Field) bool {
	if field == conntrackd.FieldEnabled {
		return f.enable || f.disable
	}
	return cmd.Flags().Changed(field.Flag())
}

// origin is where a setting's value came from, as a message names it.
func (f *settingFlags) origin(cmd *cobra.Command, field conntrackd.Field) string {
	if e, ok := f.given.values[field]; ok && !f.flagged(cmd, field) {
		return fmt.Sprintf("%s:%d: %s", f.given.name, e.line, field)
	}
	return "--" + field.Flag()
}

var errNoTable = errors.New("there are no settings here; write them as name: value, with the names of connsync show --json")
