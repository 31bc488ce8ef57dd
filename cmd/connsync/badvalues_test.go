package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"connsync/tui/text"
)

// Every bad value of the table that conntrackd's own test has, typed at the
// real command line: it is refused, the message names the flag and says what
// the table says, and no file is written.
func TestBadValuesAreRefused(t *testing.T) {
	path := build(t) // before the tests that run beside each other, whose time is bounded
	t.Parallel()
	good := map[string]string{"interface": "eth1", "current-ip": "10.0.0.101/24", "peer-ip": "10.0.0.102/24"}
	seen := map[string]int{}
	for _, v := range badValues(t) {
		if v.typed == "" || strings.Contains(v.typed, "\x00") {
			continue // blank is wrong usage; an argument cannot hold a NUL
		}
		if v.field == "FieldEnabled" {
			continue // a switch here, see usage.txtar
		}
		flag := flagOf[v.field]
		if flag == "" {
			t.Fatalf("no flag is known for %s", v.field)
		}
		seen[flag]++
		dir := t.TempDir()
		args := []string{"apply", "--enable", "--service", "none", "--config", dir + "/conf", "--state-dir", dir + "/state", "--runtime-dir", dir + "/run"}
		for name, value := range good {
			if name != flag {
				args = append(args, "--"+name+"="+value)
			}
		}
		cmd := exec.Command(path, append(args, "--"+flag+"="+v.typed)...)
		var out, complaint bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &complaint
		_ = cmd.Run() // the status says it
		want := "connsync: --" + flag + ": " + text.Clean(v.message) + "\n"
		if cmd.ProcessState.ExitCode() != exitRefused || out.Len() > 0 || !strings.Contains(complaint.String(), want) {
			t.Errorf("--%s %q: exit status %d, stdout %q, stderr %q, want %q",
				flag, v.typed, cmd.ProcessState.ExitCode(), &out, &complaint, want)
		}
		if left, err := filepath.Glob(dir + "/*"); err != nil || len(left) > 0 {
			t.Errorf("--%s %q left %v (%v)", flag, v.typed, left, err)
		}
	}
	total := 0
	for _, flag := range flagOf {
		if seen[flag] == 0 {
			t.Errorf("no bad value for --%s", flag)
		}
		total += seen[flag]
	}
	if total < 120 {
		t.Errorf("only %d bad values", total)
	}
	t.Logf("%d bad values: %v", total, seen)
}

var flagOf = map[string]string{
	"FieldInterface": "interface", "FieldCurrentIP": "current-ip", "FieldPeerIP": "peer-ip", "FieldPort": "port",
	"FieldSendBuffer": "send-buffer", "FieldReceiveBuffer": "receive-buffer", "FieldExternalCache": "external-cache",
}

type badValue struct{ field, typed, message string }

// badValues reads the table out of the source of conntrackd's test, which
// nobody can import, so that it does not stand here a second time.
func badValues(t *testing.T) []badValue {
	t.Helper()
	source, err := os.ReadFile("../../conntrackd/badvalues_test.go")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "badvalues_test.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []badValue
	ast.Inspect(file, func(n ast.Node) bool {
		row, ok := n.(*ast.CompositeLit)
		if !ok || len(row.Elts) != 3 {
			return true
		}
		field, isName := row.Elts[0].(*ast.Ident)
		typed, isText := literal(row.Elts[1])
		message, isMessage := literal(row.Elts[2])
		if isName && isText && isMessage {
			values = append(values, badValue{field.Name, typed, message})
		}
		return true
	})
	return values
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}
