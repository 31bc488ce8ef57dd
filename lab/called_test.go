package lab

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// namesCommand is a command of connsync in a text.
var namesCommand = regexp.MustCompile(`connsync (apply|check|coverage|events|firewall|history|peer|rollback|setup|show|status|unprepare)\b`)

// asIs is how many texts of a file name a command without the flags of the call. A remedy
// for this node is none of them: it has to be made by Command of a shell.Program, or it would
// work on another file than the operator does.
var asIs = map[string]int{
	// Help and examples.
	"cmd/connsync/apply.go": 4, "cmd/connsync/check.go": 1, "cmd/connsync/coverage.go": 3, "cmd/connsync/firewall.go": 1, "cmd/connsync/history.go": 2,
	"cmd/connsync/peer.go": 1, "cmd/connsync/setup.go": 2, "cmd/connsync/show.go": 1, "cmd/connsync/status.go": 1,
	"cmd/connsync/root.go": 1, "cmd/connsync/upkeep/events.go": 2, "cmd/connsync/upkeep/refresh.go": 1, "cmd/connsync/upkeep/unprepare.go": 1, "conntrackd/setting_filter.go": 1,
	// The pages of the manual.
	"cmd/connsync/manpage/manpage.go": 4,
	// What a file of settings is like, and the commands that need no terminal.
	"cmd/connsync/form.go": 1, "cmd/connsync/fromfile/fromfile.go": 2,
	// For the peer, which has its own file.
	"cmd/connsync/statusprove.go": 1, "conntrackd/health/holding.go": 3, "conntrackd/health/judge_cause.go": 8, "conntrackd/health/judge_others.go": 2,
	"node/helpers/helpers.go": 1, "tui/setuppages.go": 1, "tui/text/holding.go": 1, "tui/text/peer.go": 1, "tui/text/peerline.go": 1, "tui/text/proof.go": 1,
	// Written into files, which stay when the call is over.
	"conntrackd/coverage/export.go": 1, "conntrackd/prepare/events.go": 2, "conntrackd/prepare/logrotate.go": 1, "conntrackd/prepare/refresh.go": 1,
	"conntrackd/prepare/unit.go": 1, "conntrackd/template.go": 1, "netcheck/firewall/own_rules.go": 2, "node/firewall_files.go": 1,
	// What a remedy begins with.
	"node/checks.go": 1,
}

// What is printed for this node to run has the file, the service and the directories of
// the call.
func TestCommandsAreAsCalled(t *testing.T) {
	found := map[string][]string{}
	for _, root := range []string{"cmd", "conntrackd", "netcheck", "node", "tui"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(path, "../")
			ast.Inspect(file, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING && namesCommand.MatchString(text.Value) {
					found[name] = append(found[name], text.Value)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, texts := range found {
		if len(texts) != asIs[name] {
			t.Errorf("%s names a command of connsync in %d texts, and %d may: have it made by Command of a shell.Program:\n%s",
				name, len(texts), asIs[name], strings.Join(texts, "\n"))
		}
	}
	for name := range asIs {
		if found[name] == nil {
			t.Errorf("%s names no command of connsync: it needs no exception", name)
		}
	}
}
