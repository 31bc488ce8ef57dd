package main

import (
	_ "embed"
	"strings"
)

// The version stands in this one file; the packages take it from there.
//
//go:embed version.txt
var versionFile string

func version() string { return strings.TrimSpace(versionFile) }
