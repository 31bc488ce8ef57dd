package tui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
	"connsync/tui/text"
)

// withBurst is the table with two made-up settings, which lie where the receive
// buffer and the external cache do in another table.
func withBurst() conntrackd.SettingTable {
	t := slices.DeleteFunc(conntrackd.NewSettingTable(), func(e conntrackd.Setting) bool {
		return e.Field == conntrackd.FieldReceiveBuffer || e.Field == conntrackd.FieldExternalCache
	})
	cache, _ := conntrackd.NewSettingTable().Find(conntrackd.FieldExternalCache)
	return append(t, conntrackd.Setting{
		Field: "burst_limit", Label: "Burst Limit", Short: "Burst", Kind: conntrackd.NumberSetting, Required: true, Shared: true,
		Usage: "most `messages` in one burst", Hint: "messages, 1-9000.", Standard: "5000", Example: "7000", About: []string{"How many messages may go out at once."},
		Value: conntrackd.Value[int]{
			At: func(s *conntrackd.Settings) *int { return &s.ReceiveBuffer }, Default: 5000,
			Parse: func(text string, _ conntrackd.Settings) (int, string) {
				n, err := strconv.Atoi(text)
				if text != "" && err != nil {
					return 0, "burst limit " + text + " is not a number"
				}
				return n, ""
			},
			Format: strconv.Itoa,
		},
		Rule: func(s conntrackd.Settings) string {
			if s.ReceiveBuffer > 9000 {
				return fmt.Sprintf("burst limit %d is above 9000", s.ReceiveBuffer)
			}
			return ""
		},
	}, conntrackd.Setting{
		Field: "compress", Label: "Compress", Short: "Compress", Kind: conntrackd.SwitchSetting, Words: cache.Words, Value: cache.Value,
		Usage: "`on` makes messages small", Hint: "makes messages small.", Standard: "Off", Example: "On", About: []string{"On makes messages small."},
	})
}

func burstSettings() conntrackd.Settings {
	s := savedSettings()
	s.ReceiveBuffer = 6000
	return s
}

// A setting that is in the table is in the draft: its text, whether it changed,
// its problem, and what it means.
func TestMadeUpSettingInTheDraft(t *testing.T) {
	d := text.NewDraft(withBurst(), burstSettings())
	if d.Value("burst_limit") != "6000" || d.Dirty() {
		t.Errorf("at first %q, changed %v", d.Value("burst_limit"), d.Changes())
	}
	d.Set("burst_limit", "7000")
	if s, problems := d.Settings(); s.ReceiveBuffer != 7000 || problems != nil {
		t.Errorf("typed 7000: %+v, %v", s, problems)
	}
	if diff := cmp.Diff([]conntrackd.Field{"burst_limit"}, d.Changes()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	d.Set("burst_limit", "9001")
	if got := d.Problem("burst_limit"); got != "burst limit 9001 is above 9000" {
		t.Errorf("problem %q", got)
	}
	d.Revert("burst_limit")
	if d.Dirty() {
		t.Errorf("undone: %v", d.Changes())
	}
}

// It has a row on the form, with its label and hint, and is typed in there.
func TestMadeUpSettingOnTheForm(t *testing.T) {
	m := newModel(t, 80, 24, func(o *Options) { o.Table, o.Saved = withBurst(), burstSettings() })
	at := func(f conntrackd.Field) int {
		return slices.IndexFunc(m.form.fields, func(fd field) bool { return fd.Field == f })
	}
	m.form.moveTo(at("burst_limit"))
	view := ansi.Strip(m.form.view())
	for _, want := range []string{"Burst Limit           6000", "Burst Limit: messages, 1-9000.", "Compress              ( ) On   (*) Off"} {
		if !strings.Contains(view, want) {
			t.Errorf("no %q in\n%s", want, view)
		}
	}
	m.Update(keyOf("0"))
	m.form.moveTo(at("compress"))
	if view := ansi.Strip(m.form.view()); !strings.Contains(view, "burst limit 60000 is above 9000") {
		t.Errorf("the rule is not told:\n%s", view)
	}
	m.Update(keyOf("space"))
	if s, _ := m.form.draft.Settings(); !s.ExternalCache {
		t.Error("the switch was not turned on")
	}
	if title, help := m.form.explain(); title != "Help: Compress" || !slices.Contains(help, "Default: Off") {
		t.Errorf("help: %s\n%s", title, strings.Join(help, "\n"))
	}
}

// The line mode asks for it and says its rule.
func TestMadeUpSettingLineByLine(t *testing.T) {
	change := func(o *LineOptions) { o.Table, o.Saved = withBurst(), burstSettings() }
	paper, _ := dialogue(t, change, "", "", "", "", "", "", "9001", "?", "7000", "on", "", "<", "burst", "")
	said := string(paper)
	for _, want := range []string{
		"Burst Limit [6000]:", "burst limit 9001 is above 9000", "How many messages may go out at once.", "Example: 7000",
		"Compress (on or off) [Off]:", "7 Burst Limit: 7000 (changed)", "Burst Limit [7000]:",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
}

// It is in the command for the other node, which reads it, and in the pair's
// fingerprint where both nodes have to have it alike.
func TestMadeUpSettingForThePeer(t *testing.T) {
	table, s := withBurst(), burstSettings()
	s.ExternalCache = true
	line := text.PeerCommand(table, s)
	if !strings.HasSuffix(line, " --burst-limit 6000 --compress=on --enable") {
		t.Errorf("the line is %s", line)
	}
	v, err := text.ParsePeerLine(table, line)
	if err != nil || v["burst_limit"] != "6000" || v["compress"] != "on" {
		t.Errorf("read %v: %v", v, err)
	}
	if _, err := text.ParsePeerLine(table, strings.Replace(line, " --burst-limit 6000", "", 1)); err == nil {
		t.Error("a line without it was read")
	}
	print := text.Fingerprint(table, s)
	s.ReceiveBuffer++
	if text.Fingerprint(table, s) == print {
		t.Error("the fingerprint is the same with another value")
	}
}
