package rootless

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var quoted = regexp.MustCompile(`"(Test\w+)"`)

// A test that was renamed is not left out any more.
func TestLeftOutTestsExist(t *testing.T) {
	files := 0
	err := filepath.WalkDir("../..", func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != "ordinary_test.go" {
			return err
		}
		files++
		list, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		tests, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*_test.go"))
		var all strings.Builder
		for _, file := range tests {
			text, failed := os.ReadFile(file)
			if failed != nil {
				return failed
			}
			all.Write(text)
		}
		for _, m := range quoted.FindAllSubmatch(list, -1) {
			if !strings.Contains(all.String(), "func "+string(m[1])+"(") {
				t.Errorf("%s names %s, which its package does not have", path, m[1])
			}
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files, %v", files, err)
	}
}
