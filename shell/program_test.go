package shell

import "testing"

// A printed command has the flags with which this program works on the same file, quoted;
// the peer's has none of them.
func TestProgram(t *testing.T) {
	const none = Program("")
	elsewhere := none.With("--config", "/a b/it's.conf").With("--service", "none")
	for got, want := range map[string]string{
		none.Command("apply", "--enable"):                                    "connsync apply --enable",
		none.Command():                                                       "connsync",
		none.OnBoth("check"):                                                 "connsync check",
		elsewhere.Command("rollback", "12"):                                  `connsync rollback 12 --config '/a b/it'\''s.conf' --service none`,
		elsewhere.Command():                                                  `connsync --config '/a b/it'\''s.conf' --service none`,
		elsewhere.With("--service", "auto").Command("check"):                 `connsync check --config '/a b/it'\''s.conf' --service auto`,
		elsewhere.With("--config", "/c").Command("status"):                   "connsync status --config /c --service none",
		elsewhere.With("--config", "").Command("status"):                     "connsync status --config '' --service none",
		none.With("--state-dir", "/s").OnBoth("apply", "--mode", "a b"):      "connsync apply --mode 'a b' --state-dir /s (on the peer connsync apply --mode 'a b')",
		none.With("--state-dir", "/s").With("--state-dir", "/t").Command(""): "connsync '' --state-dir /t",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
