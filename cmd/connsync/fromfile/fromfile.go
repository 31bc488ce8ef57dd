package fromfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
)

// maxFrom bounds what is read of a --from file: the settings are far less,
// and a device or an endless pipe has no end.
const maxFrom = 64 << 10

// informs are the names in show --json that are no settings: they say where the
// settings were read from and what the host is like, and nothing follows from
// them.
func informs() map[conntrackd.Field]kind {
	return map[conntrackd.Field]kind{
		"config": kindText, "config_why": kindText, "summary": kindText, fieldRole: kindText, "application": kindText, "out_of_place": kindText, "running": kindBoolean, "at_boot": kindBoolean, "state_in_ram": kindBoolean,
	}
}

// File is the settings of a --from file, as far as it states them. The zero
// value states none.
type File struct {
	name   string // of the file, for people
	values map[conntrackd.Field]value
}

// value is that of one "name: value", as it stands in the file.
type value struct {
	line  int
	kind  kind
	text  string     // of a list of texts, with commas between them
	odd   bool       // a list that has something else than texts
	items []listItem // of a list
}

// kind is a JSON or YAML type, in the words of a message.
type kind string

const (
	kindText    kind = "text"
	kindNumber  kind = "a whole number"
	kindBoolean kind = "true or false"
	kindNull    kind = "null"
	kindDecimal kind = "a number in another notation"
	kindList    kind = "a list"
	kindTable   kind = "a table"
	kindOther   kind = "of an unsupported type"
)

// namedValue is an entry with its name, in the order of the file.
type namedValue struct {
	name string
	value
}

// Problem is one reason why the file is not used.
type Problem struct {
	conntrackd.Problem
	Place string // file and line, as "node.yaml:3"
}

// Read reads a file of settings in JSON or YAML, or standard input where path
// is "-"; a pipe that says nothing ends with ctx. The problems are those of
// single entries; the error is of the whole file and names it.
func Read(ctx context.Context, path string, stdin io.Reader, t conntrackd.SettingTable) (File, []Problem, error) {
	f := File{name: path}
	if path == "-" {
		f.name = "standard input"
	}
	content, err := contentOf(ctx, path, stdin)
	if err != nil {
		return f, nil, fmt.Errorf("--from: %w", err)
	}
	if len(strings.TrimSpace(string(content))) == 0 {
		return f, nil, fmt.Errorf("--from: %s is empty; it takes the fields of connsync show --json", f.name)
	}
	list, err := parse(content)
	if err != nil {
		return f, nil, fmt.Errorf("%s:%w", f.name, err)
	}
	problems := f.take(t, list)
	return f, problems, nil
}

// Names reports whether the file has an entry for the setting, null too.
func (f File) Names(field conntrackd.Field) bool {
	_, ok := f.values[field]
	return ok
}

// States reports whether the file gives the setting a value.
func (f File) States(field conntrackd.Field) bool {
	return f.Names(field) && f.values[field].kind != kindNull
}

// StatesEnabled reports whether the file says if the sync is to be enabled.
func (f File) StatesEnabled() bool { return f.values[conntrackd.FieldEnabled].kind == kindBoolean }

// Place is file and line of the setting's entry, which the file has to have.
func (f File) Place(field conntrackd.Field) string { return f.at(f.values[field].line) }

func (f File) at(line int) string { return fmt.Sprintf("%s:%d", f.name, line) }

func (f File) problem(line int, field conntrackd.Field, message string) Problem {
	return Problem{conntrackd.Problem{Field: field, Message: message}, f.at(line)}
}

// Open reads a file, or standard input where path is "-". A pipe that says nothing, or
// that nobody opens, ends with ctx. What is wrong with the file, the first read says.
func Open(ctx context.Context, path string, stdin io.Reader) io.ReadCloser {
	out, in := io.Pipe()
	stop := context.AfterFunc(ctx, func() { in.CloseWithError(ctx.Err()) })
	go func() {
		defer stop()
		r := stdin
		if path != "-" {
			f, err := os.Open(path)
			if err != nil {
				in.CloseWithError(hostfile.Explain(path, err))
				return
			}
			defer f.Close()
			r = f
		}
		_, err := io.Copy(in, r)
		in.CloseWithError(hostfile.Explain(path, err)) // which may be none
	}()
	return out
}

func contentOf(ctx context.Context, path string, stdin io.Reader) ([]byte, error) {
	r := Open(ctx, path, stdin)
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, maxFrom+1))
	if err == nil && len(content) > maxFrom {
		err = fmt.Errorf("more than %d KiB: too large for a file of settings", maxFrom>>10)
	}
	return content, err
}

// take sorts the entries by setting and says what is wrong with them. What a
// setting's value has to be like is not asked here: the rules of the fields are
// the same for a file, a flag and the form.
func (f *File) take(t conntrackd.SettingTable, list []namedValue) []Problem {
	f.values = map[conntrackd.Field]value{}
	var problems []Problem
	for _, e := range list {
		field := conntrackd.Field(e.name)
		if first, twice := f.values[field]; twice {
			problems = append(problems, f.problem(e.line, field, fmt.Sprintf("%s is a duplicate of line %d; keep one", e.name, first.line)))
			continue
		}
		m := typeProblem(t, field, e.value)
		if setting, ok := t.Find(field); ok && setting.Kind == conntrackd.LinksSetting && m == "" {
			e.text, m = linksText(t, e.items)
		}
		f.values[field] = e.value
		if m != "" {
			problems = append(problems, f.problem(e.line, field, m))
		}
	}
	if p := f.roleProblem(); p != "" {
		problems = append(problems, f.problem(f.values[fieldRole].line, fieldRole, p))
	}
	for field := range informs() {
		delete(f.values, field)
	}
	return problems
}

// fieldRole is what external_cache comes down to, and no setting of its own.
const fieldRole conntrackd.Field = "role"

// roleProblem says why a role does not go with external_cache beside it; blank where it
// does, or there is none.
func (f *File) roleProblem() string {
	role, given := f.values[fieldRole]
	if !given || role.kind != kindText {
		return ""
	}
	want, known := map[string]string{"primary-backup": "true", "both-active": "false"}[role.text]
	cache := f.values[conntrackd.FieldExternalCache]
	switch {
	case !known:
		return fmt.Sprintf("role %q is invalid: it must be primary-backup or both-active", role.text)
	case cache.text != want:
		return fmt.Sprintf("role %s needs external_cache: %s beside it", role.text, want)
	}
	return ""
}

const (
	wantText    = "text, in quotes where it could be read as another type"
	wantBoolean = "true or false"
)

// typeProblem says why the entry cannot be that setting; blank where it can.
func typeProblem(t conntrackd.SettingTable, field conntrackd.Field, e value) string {
	must := func(be string) string { return fmt.Sprintf("%s must be %s; it is %s", field, be, e.kind) }
	setting, ok := t.Find(field)
	switch {
	case !ok:
		return strangerProblem(t, field, e, must)
	case field == conntrackd.FieldEnabled:
		if e.kind != kindBoolean && e.kind != kindNull {
			return must("true, false or null")
		}
		return ""
	case setting.Optional && (e.kind == kindNull || e.kind == kindText && strings.EqualFold(strings.TrimSpace(e.text), conntrackd.DefaultWord)):
		return ""
	}
	switch setting.Kind {
	case conntrackd.ListSetting:
		if e.kind == kindList && e.odd {
			return fmt.Sprintf("%s must be a list of texts alone", field)
		}
		if e.kind != kindText && e.kind != kindList {
			return must("a list of texts")
		}
	case conntrackd.ChoiceSetting:
		onOff := e.kind == kindBoolean && slices.Contains(setting.Words, "on")
		if e.kind != kindText && !onOff {
			return must("one of " + strings.Join(setting.Words, ", "))
		}
	case conntrackd.SwitchSetting:
		if e.kind != kindBoolean {
			return must(wantBoolean)
		}
	case conntrackd.NumberSetting:
		if e.kind != kindNumber {
			return must("a whole number without quotes, such as " + setting.Example)
		}
	case conntrackd.BytesSetting:
		text := e.kind == kindText && strings.Trim(e.text, "0123456789") != "" // with a unit
		if e.kind != kindNumber && !text {
			return must("a number of bytes without quotes, such as 65536, or with a unit, such as 128K")
		}
	case conntrackd.LinksSetting:
		if e.kind != kindList && e.kind != kindNull {
			return must("a list of links")
		}
	default:
		if e.kind != kindText {
			return must(wantText)
		}
	}
	return ""
}

// strangerProblem is typeProblem for an entry that is no setting.
func strangerProblem(t conntrackd.SettingTable, field conntrackd.Field, e value, must func(string) string) string {
	switch kind := informs()[field]; {
	case kind == e.kind:
		return ""
	case kind == kindText:
		return must(wantText)
	case kind == kindBoolean:
		return must(wantBoolean)
	}
	if field == "error" && e.kind == kindText {
		return "it contains no settings, but an error of show --json: " + e.text
	}
	var known []string
	for _, f := range t.Fields() {
		known = append(known, string(f))
	}
	return fmt.Sprintf("unknown setting %q; known settings: %s", field, strings.Join(known, ", "))
}

// Over puts the file's values over the saved ones, but for those that a flag
// gives. What show prints for a setting that is not set, "" or 0, is no value: it is good where nothing is
// saved, and takes nothing away.
func (f File) Over(t conntrackd.SettingTable, saved conntrackd.Values, flagged func(conntrackd.Field) bool) (conntrackd.Values, []Problem) {
	v := saved
	var problems []Problem
	for _, field := range t.Fields() {
		e, ok := f.values[field]
		if !ok || e.kind == kindNull || flagged(field) {
			continue
		}
		setting, _ := t.Find(field)
		unset := strings.TrimSpace(e.text) == "" || e.kind == kindNumber && e.text == "0" && !setting.Optional
		switch {
		case unset && (v[field] == "" || v[field] == conntrackd.SystemBufferWord):
		case strings.TrimSpace(e.text) == "":
			problems = append(problems, f.problem(e.line, field, fmt.Sprintf("%s has no value; leave it out to keep the saved one", field)))
		default:
			v = v.With(field, e.text)
		}
	}
	return v, problems
}

var errNoTable = errors.New("no settings here; write them as name: value, with the names of connsync show --json")
