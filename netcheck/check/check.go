package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Status is what a check found.
type Status int

// What a check can have found. The zero value is Pending.
const (
	Pending Status = iota // not finished yet
	Passed                // it is as it has to be
	Failed                // it is not; Finding.Remedy says what to do
	Skipped               // a check that it needs failed, so it did not run
	Unknown               // it could not run; Finding.Detail says why
)

// Severity is what a failed check means for the save.
type Severity int

const (
	// Warning is shown and does not stop a save.
	Warning Severity = iota
	// Blocker stops a save.
	Blocker
)

// ID names a check. IDs are stable: they are in the JSON, the documentation
// and the tests.
type ID string

// Finding is the outcome of one check.
type Finding struct {
	Status Status
	Detail string // one sentence: what was seen
	Remedy string // a command or a named field to change; blank when passed
	Err    error  // the cause, where there is one
	// Mild says that this does not stop a save, whatever the check's severity, and that
	// checks which need this one are still asked. It failed, and the link works, but not
	// as it should; or it could not run, for a cause that another check reports.
	Mild bool
	// Lasting says that no save has a part in it, nor in what it does: the checks tell it,
	// and the review of a save does not.
	Lasting bool
	// Mend is what connsync itself can do about the failure; blank for nothing.
	Mend Mend
}

// Mend names what a save can do about a failed check.
type Mend string

// The mends.
const (
	MendHost     Mend = "host"     // prepare the host
	MendFirewall Mend = "firewall" // add connsync's rules to the firewall's
)

// Fail is the finding of a check that failed; format says what was seen.
func Fail(remedy, format string, args ...any) Finding {
	return Finding{Status: Failed, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

// Pass is the finding of a check that passed.
func Pass(format string, args ...any) Finding {
	return Finding{Status: Passed, Detail: fmt.Sprintf(format, args...)}
}

// CouldNotRun is a finding that could not be made because of err.
func CouldNotRun(err error) Finding {
	return Finding{Status: Unknown, Detail: err.Error(), Err: err}
}

// Check is one question to the host or to the peer.
type Check struct {
	ID       ID
	Title    string
	Severity Severity
	// Needs are the checks that must have passed before this one can be
	// asked; if one failed or was skipped this one is skipped, if one is
	// unknown or failed mildly this one still runs. IDs that are not in the
	// plan are ignored.
	Needs []ID
	// Beside are the checks that may still run with this one, but without which its
	// finding says nothing: it waits for theirs. If one failed or was skipped, this
	// one is interrupted and skipped.
	Beside []ID
	// Run asks. It returns promptly when ctx ends.
	Run func(ctx context.Context) Finding
}

// Result is a finished check.
type Result struct {
	ID    ID
	Title string
	// Severity is the check's, or Warning when the finding is mild.
	Severity Severity
	Finding
	Took time.Duration
}

// Report is the results of a plan, in the plan's order.
type Report struct {
	Results []Result
}

// Verdict is what a report means for the save.
type Verdict string

const (
	VerdictPass    Verdict = "pass"    // everything was looked at and is good
	VerdictWarn    Verdict = "warn"    // a warning failed or could not run; a save is possible
	VerdictBlocked Verdict = "blocked" // a blocker failed
	VerdictUnknown Verdict = "unknown" // no blocker failed, but one could not run
)

// Verdict weighs the results. A report without results proves nothing and is
// [VerdictUnknown].
func (r Report) Verdict() Verdict {
	if len(r.Results) == 0 {
		return VerdictUnknown
	}
	verdict := VerdictPass
	for _, res := range r.Results {
		switch {
		case res.Status == Passed:
		case res.Severity == Warning:
			if verdict == VerdictPass {
				verdict = VerdictWarn
			}
		case res.Status == Failed:
			return VerdictBlocked
		default:
			verdict = VerdictUnknown
		}
	}
	return verdict
}

// Blockers returns the failed results that stop a save, in the report's order.
func (r Report) Blockers() []Result {
	var out []Result
	for _, res := range r.Results {
		if res.Status == Failed && res.Severity == Blocker {
			out = append(out, res)
		}
	}
	return out
}

// Result returns the result of one check; ok is false when the report has none.
func (r Report) Result(id ID) (res Result, ok bool) {
	for _, res := range r.Results {
		if res.ID == id {
			return res, true
		}
	}
	return Result{}, false
}

// MarshalJSON gives {"verdict": ..., "checks": [...]}.
func (r Report) MarshalJSON() ([]byte, error) {
	checks := r.Results
	if checks == nil {
		checks = []Result{}
	}
	return readable(struct {
		Verdict Verdict  `json:"verdict"`
		Checks  []Result `json:"checks"`
	}{r.Verdict(), checks})
}

// readable is v in JSON with the && and <> of a remedy as they are, so that it
// can be copied from a screen.
func readable(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// UnmarshalJSON reads what MarshalJSON wrote. The verdict follows from the
// checks and is not kept.
func (r *Report) UnmarshalJSON(data []byte) error {
	var wire struct {
		Checks []Result `json:"checks"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	r.Results = wire.Checks
	return nil
}

// wireResult is a result in JSON; the names are a promise to scripts.
type wireResult struct {
	ID       ID       `json:"id"`
	Title    string   `json:"title"`
	Status   Status   `json:"status"`
	Severity Severity `json:"severity"`
	Detail   string   `json:"detail"`
	Remedy   string   `json:"remedy"`
	Millis   float64  `json:"millis"`
}

// MarshalJSON gives id, title, status, severity, detail, remedy and millis,
// the duration in milliseconds with three decimals. Finding.Err is left out:
// Detail says it in words.
func (r Result) MarshalJSON() ([]byte, error) {
	return readable(wireResult{r.ID, r.Title, r.Status, r.Severity, r.Detail, r.Remedy,
		float64(r.Took.Microseconds()) / 1000})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Result) UnmarshalJSON(data []byte) error {
	var w wireResult
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("read result: %w", err)
	}
	*r = Result{ID: w.ID, Title: w.Title, Severity: w.Severity,
		Finding: Finding{Status: w.Status, Detail: w.Detail, Remedy: w.Remedy},
		Took:    time.Duration(w.Millis*1000) * time.Microsecond}
	return nil
}

// String is the status in one lower-case word, as in the JSON.
func (s Status) String() string {
	switch s {
	case Pending:
		return "pending"
	case Passed:
		return "passed"
	case Failed:
		return "failed"
	case Skipped:
		return "skipped"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("status(%d)", int(s))
}

// MarshalText is String.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Status) UnmarshalText(text []byte) error {
	for _, known := range []Status{Pending, Passed, Failed, Skipped, Unknown} {
		if known.String() == string(text) {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("unknown status %q", text)
}

// String is the severity in one lower-case word, as in the JSON.
func (s Severity) String() string {
	switch s {
	case Warning:
		return "warning"
	case Blocker:
		return "blocker"
	}
	return fmt.Sprintf("severity(%d)", int(s))
}

// MarshalText is String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Severity) UnmarshalText(text []byte) error {
	for _, known := range []Severity{Warning, Blocker} {
		if known.String() == string(text) {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("unknown severity %q", text)
}
