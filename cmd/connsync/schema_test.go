package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/coverage"
	"connsync/conntrackd/health"
	"connsync/netcheck/check"
	"connsync/tui/text"
)

const schemaDirectory = "../../docs/json"

// shapes are the schemas of what the commands print with --json, by command and the
// flag that asks for another shape than the command's own.
var shapes = map[string]map[string]string{
	"show":        {"": "show"},
	"check":       {"": "check"},
	"apply":       {"": "apply", "dry-run": "review"},
	"rollback":    {"": "apply", "dry-run": "review"},
	"status":      {"": "status", "watch": "watch", "prove": "prove"},
	"events":      {"": "events"},
	"coverage":    {"": "coverage", "compare": "compare"},
	"peer":        {"": "peer"},
	"failover":    {"": "failover"},
	"firewall":    {"": "firewall", "install": "firewall-install", "remove": "firewall-install"},
	"application": {"": "application"},
	"history":     {"": "history", "diff": "history-diff", "forget": "history-forget"},
	"refresh":     {"": "refresh"},
	"unprepare":   {"": "unprepare"},
}

// schemas are the files of docs/json, by the name before .schema.json. To a test an
// object has the fields that are named and no others; to those who read the JSON a
// later version may add some.
var schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	documents, err := schemaDocuments()
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	for name, document := range documents {
		close := closer{part: map[string]bool{}}
		for base, other := range documents {
			close.find(base, other)
		}
		close.close(name, "#", document)
		if err := compiler.AddResource("file:///"+name, document); err != nil {
			return nil, err
		}
	}
	all := map[string]*jsonschema.Schema{}
	for name := range documents {
		if all[strings.TrimSuffix(name, ".schema.json")], err = compiler.Compile("file:///" + name); err != nil {
			return nil, err
		}
	}
	return all, nil
})

func schemaDocuments() (map[string]any, error) {
	names, err := filepath.Glob(schemaDirectory + "/*.schema.json")
	if err != nil {
		return nil, err
	}
	documents := map[string]any{}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(content)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		documents[filepath.Base(name)] = document
	}
	return documents, nil
}

// closer forbids what a schema does not name. part are the schemas that stand in
// the allOf of another one, which names more.
type closer struct{ part map[string]bool }

func (c closer) find(document string, node any) {
	switch node := node.(type) {
	case map[string]any:
		if all, ok := node["allOf"].([]any); ok {
			for _, one := range all {
				c.part[absolute(document, one.(map[string]any)["$ref"].(string))] = true
			}
		}
		for _, inner := range node {
			c.find(document, inner)
		}
	case []any:
		for _, inner := range node {
			c.find(document, inner)
		}
	}
}

func (c closer) close(document, at string, node any) {
	switch node := node.(type) {
	case map[string]any:
		for name, inner := range node {
			c.close(document, at+"/"+name, inner)
		}
		_, properties := node["properties"].(map[string]any)
		_, all := node["allOf"]
		ref, _ := node["$ref"].(string) // to a part, which is left open itself
		whole := c.part[absolute(document, ref)] && !strings.Contains(at, "/allOf/")
		if (properties || all || whole) && !c.part[document+at] {
			node["unevaluatedProperties"] = false
		}
	case []any:
		for i, inner := range node {
			c.close(document, fmt.Sprint(at, "/", i), inner)
		}
	}
}

// absolute is a reference in a document, with the document that it leads to.
func absolute(document, ref string) string {
	if strings.HasPrefix(ref, "#") {
		return document + ref
	}
	return ref
}

// validateJSON validates what a program has printed on stdout where it is connsync and
// was asked for JSON. The script fails where it does not fit the schema.
func validateJSON(ts *testscript.TestScript, args []string, stdout string) {
	i := slices.IndexFunc(args, func(a string) bool { return path.Base(a) == "connsync" })
	if i < 0 {
		return
	}
	name, ok := shapeOf(args[i+1:])
	if !ok || stdout == "" {
		return
	}
	documents := []string{stdout}
	if name == "watch" {
		documents = slices.Collect(strings.Lines(stdout))
	}
	for _, document := range documents {
		if err := fits(name, document); err != nil {
			ts.Fatalf("%v: docs/json/%s.schema.json: %v\n%s", args, name, err, document)
		}
	}
}

// shapeOf is the schema of what a call of connsync prints on standard output.
func shapeOf(args []string) (string, bool) {
	root := newRoot(streams{}, conntrackd.NewSettingTable())
	cmd, rest, err := root.Find(args)
	if err != nil || shapes[cmd.Name()] == nil || cmd.ParseFlags(rest) != nil {
		return "", false
	}
	given := func(flag string) string {
		if f := cmd.Flags().Lookup(flag); f != nil {
			return f.Value.String()
		}
		return ""
	}
	if given("json") != "true" && given("format") != "json" || given("json-array") == "true" || given("output") != "" {
		return "", false
	}
	for flag, name := range shapes[cmd.Name()] {
		if flag != "" && cmd.Flags().Changed(flag) {
			return name, true
		}
	}
	return shapes[cmd.Name()][""], true
}

// fits says why a document does not fit the schema; a refusal always may take its place.
func fits(name, document string) error {
	all, err := schemas()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
	if err != nil {
		return err
	}
	if err = all[name].Validate(value); err != nil && all["error"].Validate(value) == nil {
		return nil
	}
	return err
}

// Each command that prints JSON has its schemas, and there are no others.
func TestSchemasOfEveryCommand(t *testing.T) {
	used := map[string]bool{"error": true, "common": true}
	for _, cmd := range newRoot(streams{}, conntrackd.NewSettingTable()).Commands() {
		if cmd.Flags().Lookup("json") == nil {
			continue
		}
		if shapes[cmd.Name()] == nil {
			t.Errorf("%s --json has no schema", cmd.Name())
		}
		for flag, name := range shapes[cmd.Name()] {
			used[name] = true
			if flag != "" && cmd.Flags().Lookup(flag) == nil {
				t.Errorf("%s has no flag --%s", cmd.Name(), flag)
			}
		}
	}
	all, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(all))); diff != "" {
		t.Errorf("schemas (-used +in docs/json):\n%s", diff)
	}
	for name := range all {
		if !strings.Contains(page(t, "docs/json.md"), "json/"+name+".schema.json") {
			t.Errorf("docs/json.md does not name json/%s.schema.json", name)
		}
	}
}

// A schema names the fields that the program can print, also those that no test
// happens to see, and no others.
func TestSchemasNameEveryField(t *testing.T) {
	documents, err := schemaDocuments()
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"check": refusedCheck{}, "apply": text.Applied{}, "review": reviewed{}, "status": reported{}, "watch": watchRecord{}, "prove": proved{},
		"coverage": health.ListedCoverage{}, "compare": coverage.ListedComparison{}, "events": text.EventsReport{}, "peer": peered{}, "failover": failedOver{},
		"firewall": admitted{}, "firewall-install": firewallReport{}, "application": placed{}, "history": text.ListedSaves{},
		"history-diff": text.DiffedSave{}, "history-forget": text.ForgottenSave{}, "error": refusal{},
	} {
		s := schemaNode{documents, name + ".schema.json", documents[name+".schema.json"].(map[string]any)}
		s.compare(t, name, reflect.TypeOf(value))
	}
	want := slices.Collect(maps.Keys(fieldsOf(reflect.TypeFor[shownBeside]())))
	for _, e := range conntrackd.NewSettingTable() {
		want = append(want, string(e.Field))
	}
	slices.Sort(want)
	shown := schemaNode{documents, "show.schema.json", documents["show.schema.json"].(map[string]any)}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(shown.properties()))); diff != "" {
		t.Errorf("show (-program +schema):\n%s", diff)
	}
}

// schemaNode is a schema within a document.
type schemaNode struct {
	documents map[string]any
	document  string
	node      map[string]any
}

// resolved follows a reference.
func (s schemaNode) resolved() schemaNode {
	if list, ok := s.node["anyOf"].([]any); ok { // that, or null
		s.node = list[0].(map[string]any)
	}
	ref, ok := s.node["$ref"].(string)
	if !ok {
		return s
	}
	document, at, _ := strings.Cut(absolute(s.document, ref), "#")
	var node any = s.documents[document]
	for _, name := range strings.Split(strings.TrimPrefix(at, "/"), "/") {
		node = node.(map[string]any)[name]
	}
	return schemaNode{s.documents, document, node.(map[string]any)}.resolved()
}

// properties are those of an object, with those of its allOf.
func (s schemaNode) properties() map[string]schemaNode {
	all := map[string]schemaNode{}
	parts, _ := s.node["allOf"].([]any)
	for _, part := range parts {
		maps.Copy(all, schemaNode{s.documents, s.document, part.(map[string]any)}.resolved().properties())
	}
	own, _ := s.node["properties"].(map[string]any)
	for name, node := range own {
		all[name] = schemaNode{s.documents, s.document, node.(map[string]any)}
	}
	return all
}

// compare walks a type and its schema.
func (s schemaNode) compare(t *testing.T, at string, of reflect.Type) {
	t.Helper()
	s = s.resolved()
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		if of.Kind() == reflect.Slice {
			items, ok := s.node["items"].(map[string]any)
			if !ok {
				t.Errorf("%s: the schema has no items", at)
				return
			}
			s = schemaNode{s.documents, s.document, items}.resolved()
		}
		of = of.Elem()
	}
	fields := fieldsOf(of)
	if fields == nil {
		return
	}
	properties := s.properties()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(fields)), slices.Sorted(maps.Keys(properties))); diff != "" {
		t.Errorf("%s (-program +schema):\n%s", at, diff)
		return
	}
	for name, field := range fields {
		properties[name].compare(t, at+"."+name, field)
	}
}

// fieldsOf are the fields of a struct in JSON; nil for what is no object of ours.
func fieldsOf(of reflect.Type) map[string]reflect.Type {
	if of.Kind() != reflect.Struct || of == reflect.TypeFor[time.Time]() || of.Implements(reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()) {
		return nil
	}
	switch of {
	case reflect.TypeFor[check.Report]():
		of = reflect.TypeFor[struct {
			Verdict check.Verdict  `json:"verdict"`
			Checks  []check.Result `json:"checks"`
		}]()
	case reflect.TypeFor[check.Result]():
		return nil // the checks that are printed show it
	}
	fields := map[string]reflect.Type{}
	for i := range of.NumField() {
		f := of.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			maps.Copy(fields, fieldsOf(f.Type))
		case name != "" && name != "-":
			fields[name] = f.Type
		}
	}
	return fields
}

// A document with a field that the schema does not name, or without one that it
// requires, does not fit.
func TestSchemasAreStrict(t *testing.T) {
	entry, err := json.Marshal(text.ListedSaves{Saves: []text.ListedSave{{Entry: apply.Entry{Number: 1, Outcome: apply.EntrySaved}}}})
	if err != nil {
		t.Fatal(err)
	}
	whole := string(entry)
	for document, fit := range map[string]bool{
		whole:                 true,
		`{"error":"refused"}`: true,
		strings.Replace(whole, `"number"`, `"nr"`, 1):              false,
		strings.Replace(whole, `"number"`, `"more":1,"number"`, 1): false,
		strings.Replace(whole, `"saved"`, `"rescued"`, 1):          false,
		strings.Replace(whole, `"saves"`, `"more":1,"saves"`, 1):   false,
		`[]`: false,
	} {
		if err := fits("history", document); (err == nil) != fit {
			t.Errorf("%s: %v, want that it fits: %t", document, err, fit)
		}
	}
	diff := strings.Replace(whole[len(`{"saves":[`):len(whole)-2], `"number"`, `"summary":"","diff":"","number"`, 1)
	if err := fits("history-diff", diff); err != nil {
		t.Errorf("%s: %v", diff, err)
	}
	if err := fits("history-diff", strings.Replace(diff, `"number"`, `"more":1,"number"`, 1)); err == nil {
		t.Errorf("a save with a diff and more fits")
	}
}
