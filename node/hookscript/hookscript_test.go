package hookscript

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What a script runs is told for the arguments that keepalived gives, and only where it
// is certain.
func TestCommand(t *testing.T) {
	notify := []string{"GROUP", "VG", "MASTER", "100"}
	odd := []string{"GROUP", "a/b c", "MASTER", "100"}
	words := func(line string) []string { return strings.Fields(line) }
	for name, tt := range map[string]struct {
		script    string // behind the first line
		arguments []string
		want      []string
		unknown   bool
	}{
		"a line":                  {"exec connsync failover primary\n", nil, words("failover primary"), false},
		"a path and wrappers":     {"LC_ALL=C /usr/bin/timeout 30 /usr/sbin/connsync failover primary >/dev/null 2>&1 || logger no\n", nil, words("failover primary"), false},
		"in the background":       {"connsync failover primary &\nmail root\n", nil, words("failover primary"), false},
		"its arguments":           {"exec /usr/sbin/connsync failover \"$@\"\n", notify, words("failover GROUP VG MASTER 100"), false},
		"one of them":             {"shift\nconnsync failover $2\n", notify, words("failover MASTER"), false},
		"a variable":              {"C=/usr/sbin/connsync; to='primary'\n\"$C\" failover ${to}\n", nil, words("failover primary"), false},
		"over lines":              {"connsync \\\n failover \\\n primary # as it is\n", nil, words("failover primary"), false},
		"the case that fits":      {"STATE=$3\ncase \"$STATE\" in\nBACKUP|FAULT) connsync failover backup ;;\nM*)\n connsync failover primary\n ;;\nesac\n", notify, words("failover primary"), false},
		"no case that fits":       {"case $1 in\nmaster) /usr/sbin/connsync failover primary;;\nbackup) connsync failover backup;;\nesac\n", notify, nil, false},
		"the last branch":         {"case $1 in (x) exit 1;; *) case $3 in MASTER) connsync failover primary; esac; esac", notify, words("failover primary"), false},
		"a quoted star":           {"case $3 in '*') connsync failover backup;; MASTER) connsync failover primary;; esac\n", notify, words("failover primary"), false},
		"a case not taken":        {"case $1 in a) case $2 in b) x;; esac; if true; then case $3 in c) y;; esac; fi;; GROUP) connsync failover primary;; esac\n", notify, words("failover primary"), false},
		"the first that fits":     {"case $1 in G*) connsync failover primary;; GROUP) connsync failover fault;; esac\n", notify, words("failover primary"), false},
		"the last command":        {"connsync failover backup; connsync failover primary\n", nil, words("failover primary"), false},
		"behind its end":          {"exit 0\nconnsync failover primary\n", nil, nil, false},
		"another's argument":      {"logger connsync failover primary\n", nil, nil, false},
		"a comment":               {"# connsync failover primary\n", nil, nil, false},
		"an if about other":       {"if [ -x /usr/bin/mail ]; then\n mail root\nelse\n logger no\nfi\nconnsync failover primary\n", nil, words("failover primary"), false},
		"an if":                   {"if [ \"$1\" = master ]; then connsync failover primary; fi\n", notify, nil, true},
		"an if that ends it":      {"if [ -e /off ]; then exit; fi\nconnsync failover primary\n", nil, nil, true},
		"an if that sets":         {"to=primary\nif [ -e /b ]; then to=backup; fi\nconnsync failover $to\n", nil, nil, true},
		"a condition":             {"[ -e /on ] && connsync failover primary\n", nil, nil, true},
		"a condition to end":      {"[ -x /usr/sbin/connsync ] || exit 0\nconnsync failover primary\n", nil, nil, true},
		"a function":              {"go() {\n connsync failover primary\n}\ngo\n", nil, nil, true},
		"a loop":                  {"for i in 1 2; do connsync failover primary; done\n", nil, nil, true},
		"a role from outside":     {"connsync failover $ROLE\n", nil, nil, true},
		"a role from a command":   {"connsync failover $(cat /run/role)\n", nil, nil, true},
		"a case on a command":     {"case $(hostname) in a) connsync failover primary;; esac\n", nil, nil, true},
		"a command from one":      {"`cat /run/hook` failover primary\n", nil, nil, true},
		"another file":            {". /etc/ha.sh\nconnsync failover primary\n", nil, nil, true},
		"split words":             {"connsync failover $*\n", odd, words("failover GROUP a/b c MASTER 100"), false},
		"words that stay":         {"shift\nconnsync failover \"$1\"\n", odd, []string{"failover", "a/b c"}, false},
		"a value that stays":      {"V=$2\nconnsync failover \"$V\" 'x'\n", odd, []string{"failover", "a/b c", "x"}, false},
		"a star for a slash":      {"case $2 in a*c) connsync failover primary;; esac\n", odd, words("failover primary"), false},
		"a backslash in quotes":   {"connsync failover \"a\\b\" \"\\$3\"\n", notify, []string{"failover", `a\b`, "$3"}, false},
		"names of files":          {"connsync failover *\n", notify, nil, true},
		"braces":                  {"connsync failover {primary,backup}\n", notify, nil, true},
		"a negated set":           {"case $3 in [!B]*) connsync failover primary;; esac\n", notify, nil, true},
		"a class":                 {"case $3 in [[:upper:]]*) connsync failover primary;; esac\n", notify, nil, true},
		"the next branch too":     {"case $1 in x) logger no ;& GROUP) connsync failover primary;; esac\n", notify, nil, true},
		"a command's variable":    {"to=primary\nto=backup logger no\nconnsync failover $to\n", nil, nil, true},
		"one beside the script":   {"to=primary\nto=backup &\nconnsync failover $to\n", nil, nil, true},
		"one in a pipe":           {"to=primary\nexit | cat\nconnsync failover $to\n", nil, nil, true},
		"more of a variable":      {"to=pri\nto+=mary\nconnsync failover $to\n", nil, nil, true},
		"a default":               {"to=\n: ${to:=primary}\nconnsync failover \"$to\"\n", nil, nil, true},
		"another separator":       {"IFS=/\nto=a/b\nconnsync failover $to\n", nil, nil, true},
		"no argument to shift":    {"shift\nconnsync failover primary\n", nil, nil, true},
		"another that may run it": {"ip netns exec ha connsync failover primary\n", nil, nil, true},
		"a here document":         {"cat <<E\nconnsync failover primary\nE\n", nil, nil, true},
		"a quote without end":     {"echo \"\nconnsync failover primary\n", nil, nil, true},
		"a case without end":      {"case $1 in GROUP) connsync failover primary\n", notify, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := Command("#!/bin/sh\n"+tt.script, "connsync", tt.arguments)
			if ok == tt.unknown {
				t.Fatalf("certain: %v; it runs %q", ok, got)
			}
			if diff := cmp.Diff(tt.want, got); ok && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, first := range []string{"", "#!/usr/bin/python3\n", "#!/usr/bin/fish\n"} {
		if got, ok := Command(first+"connsync failover primary\n", "connsync", nil); ok {
			t.Errorf("%q: it runs %q", first, got)
		}
	}
	for _, first := range []string{"#! /bin/bash -e\n", "#!/usr/bin/env bash\n", "#!/bin/dash\n"} {
		if _, ok := Command(first+"connsync failover primary\n", "connsync", nil); !ok {
			t.Errorf("%q is not read", first)
		}
	}
}

// No script keeps its reader.
func TestCommandEnds(t *testing.T) {
	for _, piece := range []string{"case $1 in *) ", "if true; then ", "case x in y) case ", "\\\n", "'\"`", "$(${", ";;esac", "((", "|&&", "<<", "#", "case $1 in (", "a=", "fi\n"} {
		ended := make(chan struct{})
		go func() {
			Command("#!/bin/sh\n"+strings.Repeat(piece, 20000), "connsync", []string{"x"})
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Fatalf("%q keeps it", piece)
		}
	}
}
