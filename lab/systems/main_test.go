package main

import (
	"errors"
	"testing"
)

// Each row is chosen by its name, and has other cells only where there is such a column.
func TestRowsAndCellsFitTogether(t *testing.T) {
	columns := map[string]bool{}
	for _, c := range cells {
		columns[c.name] = true
	}
	for _, r := range rows() {
		if got, err := choose(r.name); err != nil || len(got) != 1 || got[0].name != r.name {
			t.Errorf("choose %s: %v, %v", r.name, got, err)
		}
		for name := range r.instead {
			if !columns[name] {
				t.Errorf("row %s has a cell %s, which is no column", r.name, name)
			}
		}
	}
	if all, err := choose(""); err != nil || len(all) != len(rows()) {
		t.Errorf("all rows: %d, %v", len(all), err)
	}
	if _, err := choose("debian99"); err == nil {
		t.Error("an unknown row is chosen")
	}
}

func TestACellThatCouldNotRunIsNoPass(t *testing.T) {
	for want, r := range map[string]result{"ok 0s": {}, "-": {err: skipped("no console")}, wordFailed: {err: errors.New("the file is not what it was")}} {
		if got := r.word(); got != want {
			t.Errorf("%v is %q, want %q", r.err, got, want)
		}
	}
}
