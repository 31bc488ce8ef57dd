package service

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A start is known by the identifier of systemd's message, in every language.
func TestParseTurns(t *testing.T) {
	in := strings.Join([]string{
		`{"__REALTIME_TIMESTAMP":"1795989722000001","MESSAGE_ID":"39f53479d3a045ac8e11786248231fbf"}`,
		`{"__REALTIME_TIMESTAMP":"1795989721000000","MESSAGE_ID":"9d1aaa27d60140bd96365438aad20286"}`,
		`{"__REALTIME_TIMESTAMP":"1795989720000000","MESSAGE_ID":"d9b373ed55a64feb8242e02dbe79a49c"}`,
		`{"__REALTIME_TIMESTAMP":"1795989719000000","MESSAGE_ID":"7d4958e842da4a758f6c1cdc7b36dcc5"}`,
		`{"__REALTIME_TIMESTAMP":"soon","MESSAGE_ID":"39f53479d3a045ac8e11786248231fbf"}`,
		`{"cut of`,
	}, "\n")
	got, err := parseTurns(strings.NewReader(in))
	want := []Turn{{time.UnixMicro(1795989722000001), TurnStarted}, {time.Unix(1795989721, 0), TurnStopped}, {time.Unix(1795989720, 0), TurnFailed}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}
