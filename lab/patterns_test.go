package lab

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// A regular expression is compiled where it is first used: each command would pay for
// those of all others before it begins. A package's variable is a sync.OnceValue.
func TestNoPatternIsCompiledBeforeItIsUsed(t *testing.T) {
	patterns := 0
	eachProductFile(t, func(_, file string) {
		patterns += len(uses(t, file, "regexp.MustCompile"))
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range compiledAtStart(parsed) {
			t.Errorf("%s: compiled when the program starts; wrap it: sync.OnceValue(func() *regexp.Regexp { ... })", set.Position(call.Pos()))
		}
	})
	if patterns == 0 {
		t.Error("the product compiles no regular expression; is this how it is done?")
	}
}

// compiledAtStart are the calls of regexp that the variables of a package make; a function
// that is not called is left alone.
func compiledAtStart(file *ast.File) (calls []*ast.CallExpr) {
	for _, decl := range file.Decls {
		if general, ok := decl.(*ast.GenDecl); ok {
			calls = append(calls, compiled(general)...)
		}
	}
	return calls
}

func compiled(in ast.Node) (calls []*ast.CallExpr) {
	ast.Inspect(in, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.FuncLit); ok { // called at once
				calls = append(calls, compiled(f.Body)...)
			}
			if s, ok := n.Fun.(*ast.SelectorExpr); ok {
				if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "regexp" {
					calls = append(calls, n)
				}
			}
		}
		return true
	})
	return calls
}
