package main

import (
	"encoding/json"
	"testing"
)

// A module weighs what nothing else needs: its own packages, and those that it alone
// imports.
func TestAModuleWeighsWhatGoesWithIt(t *testing.T) {
	packages := map[string]linked{}
	for _, line := range []string{
		`{"ImportPath": "x/cmd/connsync", "Imports": ["net", "m.io/a", "m.io/b"], "Module": {"Path": "x", "Main": true}}`,
		`{"ImportPath": "m.io/a", "Imports": ["net", "net/http"], "Module": {"Path": "m.io/a"}}`,
		`{"ImportPath": "m.io/b", "Imports": ["net"], "Module": {"Path": "m.io/b"}}`,
		`{"ImportPath": "net"}`, `{"ImportPath": "net/http"}`,
	} {
		var p linked
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
	held := []symbol{{"main.main", 100}, {"m.io/a.(*T).M", 200}, {"m.io/b.F", 300}, {"net/http.Get", 1000}, {"net.x", 400}, {"go:func.*", 9000}}
	const want = "The stripped program without libraries has 4 kB.\n\n| module | kB | why it stays |\n| --- | --- | --- |\n" +
		"| connsync itself | 0 |  |\n| Go's library, all of it | 2 | runtime, network, JSON, regular expressions; and what net/http initialises |\n| m.io/a | 2 |  |\n| m.io/b | 0 |  |\n"
	if got := table(packages, sizes(held), 4000); got != want {
		t.Errorf("table:\n%s", got)
	}
}
