package text

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
)

// What every pair has is no part of the fingerprint and of the peer's line, so that
// nodes with other versions of connsync agree; what a pair has alone is.
func TestAdvancedSettingsOfThePair(t *testing.T) {
	table, plain := conntrackd.NewSettingTable(), pairSettings()
	usual := plain
	usual.FilterFrom, usual.ExpectationSync, usual.Checksum = "userspace", "on", "on"
	usual.HashSize, usual.HashLimit, usual.PurgeTimeout, usual.IgnoreAddresses = 4096, 8192, 15, "192.0.2.9"
	if Fingerprint(table, usual) != Fingerprint(table, plain) || PeerCommand(table, usual) != PeerCommand(table, plain) {
		t.Errorf("a usual file: %s, %s", Fingerprint(table, usual), PeerCommand(table, usual))
	}
	own, other := plain, plain
	own.Mode, own.Protocols, own.TCPWindowTracking = "notrack", "tcp,udp", "on"
	other.Mode, other.Protocols, other.TCPWindowTracking = "notrack", "udp,tcp", "on"
	if Fingerprint(table, own) == Fingerprint(table, plain) || Fingerprint(table, own) != Fingerprint(table, other) {
		t.Errorf("fingerprints %s, %s and %s", Fingerprint(table, plain), Fingerprint(table, own), Fingerprint(table, other))
	}
	line := PeerCommand(table, own)
	if !strings.HasSuffix(line, " --mode notrack --protocols tcp,udp --tcp-window-tracking on --enable") {
		t.Errorf("the line is %s", line)
	}
	v, err := ParsePeerLine(table, line)
	if err != nil || v[conntrackd.FieldProtocols] != "tcp,udp" || v[conntrackd.FieldMode] != "notrack" {
		t.Errorf("read %v: %v", v, err)
	}
}

// A draft shows the word for the default where the file has nothing, and means nothing
// by it; typed over a value it takes that out of the file, as a blank does.
func TestAdvancedSettingsInTheDraft(t *testing.T) {
	saved := pairSettings()
	saved.PurgeTimeout, saved.ResendQueueSize, saved.Protocols = 15, 200000, "tcp"
	d := NewDraft(conntrackd.NewSettingTable(), saved)
	for f, want := range map[conntrackd.Field]string{
		conntrackd.FieldPollSecs: "default", conntrackd.FieldPurgeTimeout: "15", conntrackd.FieldMode: "ftfw", conntrackd.FieldProtocols: "tcp",
	} {
		if got := d.Value(f); got != want {
			t.Errorf("%s: %q, want %q", f, got, want)
		}
	}
	if got, problems := d.Settings(); got != saved || problems != nil || d.Dirty() {
		t.Errorf("nothing was typed: %v, %v, changed %v", got, problems, d.Changes())
	}
	d.Set(conntrackd.FieldPollSecs, "")
	d.Set(conntrackd.FieldChecksum, "Default")
	if d.Dirty() {
		t.Errorf("what is the default is changed: %v", d.Changes())
	}
	d.Set(conntrackd.FieldPurgeTimeout, " ")
	d.Set(conntrackd.FieldMode, "notrack")
	got, problems := d.Settings()
	if problems != nil || got.PurgeTimeout >= 0 || got.Mode != "notrack" || got.ResendQueueSize != 0 || got.Protocols != "tcp" {
		t.Errorf("%+v, %v", got.Advanced, problems)
	}
	if diff := cmp.Diff([]conntrackd.Field{conntrackd.FieldMode, conntrackd.FieldPurgeTimeout}, d.Changes()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	d.Set(conntrackd.FieldResendQueueSize, "5")
	if p := d.Problem(conntrackd.FieldResendQueueSize); !strings.Contains(p, "an option of mode ftfw alone") {
		t.Errorf("problem %q", p)
	}
	// The other node's line says what both have; of the rest this node keeps its own.
	d = NewDraft(conntrackd.NewSettingTable(), saved)
	v, err := ParsePeerLine(conntrackd.NewSettingTable(), PeerCommand(conntrackd.NewSettingTable(), pairSettings()))
	if err != nil {
		t.Fatal(err)
	}
	d.Take(v)
	if d.Value(conntrackd.FieldProtocols) != "default" || d.Value(conntrackd.FieldPurgeTimeout) != "15" {
		t.Errorf("after the peer's line: protocols %q, purge timeout %q", d.Value(conntrackd.FieldProtocols), d.Value(conntrackd.FieldPurgeTimeout))
	}
}
