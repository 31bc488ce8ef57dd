package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// The commands of a script that look at JSON on stdout. A PATH is names and
// indices with dots between them, such as checks.0.id; a lone dot is the whole,
// and * stands for every element.
//
//	keys PATH NAME...      the object there has exactly these fields
//	value PATH TEXT        the value there is TEXT
//	checks STATUS ID...    exactly these checks, or steps, have that status

func parsed(ts *testscript.TestScript) any {
	var v any
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		ts.Fatalf("stdout is no JSON: %v", err)
	}
	return v
}

// at returns what a path leads to; several values where it has a star.
func at(v any, path string) ([]any, error) {
	found := []any{v}
	if path == "." {
		return found, nil
	}
	for _, name := range strings.Split(path, ".") {
		var next []any
		for _, v := range found {
			inner, err := shownStep(v, name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			next = append(next, inner...)
		}
		found = next
	}
	return found, nil
}

func shownStep(v any, name string) ([]any, error) {
	switch v := v.(type) {
	case map[string]any:
		inner, ok := v[name]
		if !ok {
			return nil, fmt.Errorf("there is no %s", name)
		}
		return []any{inner}, nil
	case []any:
		if name == "*" {
			return v, nil
		}
		i, err := strconv.Atoi(name)
		if err != nil || i < 0 || i >= len(v) {
			return nil, fmt.Errorf("there is no element %s of %d", name, len(v))
		}
		return []any{v[i]}, nil
	}
	return nil, fmt.Errorf("%v has no %s", v, name)
}

func cmdKeys(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "keys PATH NAME...")
	found, err := at(parsed(ts), args[0])
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("%s leads to nothing", args[0])
	}
	want := slices.Sorted(slices.Values(args[1:]))
	for _, v := range found {
		object, ok := v.(map[string]any)
		if !ok {
			ts.Fatalf("%s is no object: %v", args[0], v)
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(object))); diff != "" {
			ts.Fatalf("fields of %s (-want +got):\n%s", args[0], diff)
		}
	}
}

func cmdValue(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "value PATH TEXT")
	found, err := at(parsed(ts), args[0])
	ts.Check(err)
	for _, v := range found {
		if got := fmt.Sprint(v); got != args[1] {
			ts.Fatalf("%s is %s, want %s", args[0], got, args[1])
		}
	}
}

func cmdChecks(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 1, "checks STATUS ID...")
	var got []string
	root, _ := parsed(ts).(map[string]any)
	for _, list := range []string{"checks", "steps"} {
		elements, _ := root[list].([]any)
		for _, e := range elements {
			if c, ok := e.(map[string]any); ok && c["status"] == args[0] {
				got = append(got, fmt.Sprint(c["id"]))
			}
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(slices.Sorted(slices.Values(args[1:])), got); diff != "" {
		ts.Fatalf("%s (-want +got):\n%s", args[0], diff)
	}
}
