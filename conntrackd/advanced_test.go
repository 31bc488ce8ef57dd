package conntrackd

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// advancedValues are good texts for every advanced setting, and what else has to be set
// for them.
func advancedValues() map[Field][]string {
	return map[Field][]string{
		FieldTransport: {"udp", "multicast"}, FieldMulticastGroup: {"225.0.0.50", "239.255.0.1"},
		FieldMode: {"ftfw", "notrack", "alarm"}, FieldResendQueueSize: {"262144"}, FieldPurgeTimeout: {"15"}, FieldCommitTimeout: {"180"},
		FieldRefreshTime: {"15"}, FieldCacheTimeout: {"200"},
		FieldProtocols:       {"tcp,udp", "sctp,tcp,udp,icmp", "not-icmp", "not-udp,not-tcp"},
		FieldIgnoreAddresses: {"192.0.2.7", "198.51.100.0/24,2001:db8:5::/48,192.0.2.9"},
		FieldTCPStates:       {"ESTABLISHED,CLOSED", "SYN_RECV,ESTABLISHED,LISTEN", "not-TIME_WAIT"},
		FieldFilterFrom:      {"userspace", "kernelspace"}, FieldTCPWindowTracking: {"on", "off"},
		FieldExpectationSync: {"on", "off", "ftp", "ftp,sip,h323"},
		FieldHashSize:        {"131072"}, FieldHashLimit: {"600000"}, FieldNetlinkBuffer: {"4194304"}, FieldNetlinkMaxGrowth: {"16777216"},
		FieldNetlinkEventsReliable: {"on", "off"}, FieldPollSecs: {"15"}, FieldChecksum: {"off", "on"},
		FieldSchedulerType: {"rr", "fifo"}, FieldSchedulerPriority: {"50"},
	}
}

// withText is s with the text for a setting, and what else that setting needs.
func withText(t *testing.T, s Settings, f Field, text string) Settings {
	t.Helper()
	e, ok := NewSettingTable().Find(f)
	if !ok {
		t.Fatalf("there is no setting %s", f)
	}
	if problem := e.Value.read(&s, text); problem != "" {
		t.Fatalf("%s %s: %s", f, text, problem)
	}
	switch {
	case f == FieldMulticastGroup:
		s.Transport = transportMulticast
	case text == transportMulticast:
		s.MulticastGroup = "225.0.0.50"
	case f == FieldRefreshTime || f == FieldCacheTimeout || text == modeAlarm:
		s.Mode, s.ExternalCache = modeAlarm, true
	case f == FieldCommitTimeout:
		s.ExternalCache = true
	}
	return s
}

// Every advanced setting, in every sample: it is in force, a second time changes nothing,
// the daemon takes the file and complains of nothing new, and taking it out of the file
// gives the file back as it was without it.
func TestAdvancedSettingsInTheSamples(t *testing.T) {
	values := advancedValues()
	for _, e := range advancedSettings() {
		if values[e.Field] == nil {
			t.Errorf("no value of %s is tried", e.Field)
		}
	}
	for name, src := range samples(t) {
		_, before := daemonSays(t, elsewhere(src))
		for f, texts := range values {
			for _, text := range texts {
				t.Run(fmt.Sprintf("%s %s %s", name, f, text), func(t *testing.T) {
					s := withText(t, pairSettings(), f, text)
					file, _ := Parse(name, src)
					if _, _, err := file.Apply(s, helperHost()); err != nil {
						t.Fatal(err)
					}
					given := file.Bytes()
					requireInForce(t, given, s, helperHost())
					requireTakenOut(t, file, src, s, f)
					if name != "debian" && name != "sync-alarm" {
						return // what the daemon takes does not depend on the rest of the file
					}
					accepted, after := daemonSays(t, elsewhere(given))
					if !accepted {
						t.Fatalf("the daemon refuses it: %q\n%s", after, given)
					}
					for _, c := range after {
						if !strings.Contains(strings.Join(before, "\n"), c) {
							t.Errorf("the daemon has a new complaint: %s\n%s", c, given)
						}
					}
				})
			}
		}
	}
}

// requireTakenOut holds that the word for the default leaves the file as one in which
// the setting was never given, but for what the file had itself.
func requireTakenOut(t *testing.T, file *File, src []byte, s Settings, f Field) {
	t.Helper()
	e, _ := NewSettingTable().Find(f)
	if !e.Optional {
		return
	}
	e.Value.read(&s, DefaultWord)
	if _, _, err := file.Apply(s, helperHost()); err != nil {
		t.Fatal(err)
	}
	requireInForce(t, file.Bytes(), s, helperHost())
	never, _ := Parse("never", src)
	if _, _, err := never.Apply(s, helperHost()); err != nil {
		t.Fatal(err)
	}
	got, _ := file.Settings()
	want, _ := never.Settings()
	if diff := cmp.Diff(want.OnHost(helperHost()), got.OnHost(helperHost()), comparePrefix); diff != "" {
		t.Errorf("taken out of the file (-never given +taken out):\n%s\n%s", diff, file.Bytes())
	}
	if diff := cmp.Diff(strings.Fields(string(never.Bytes())), strings.Fields(string(file.Bytes()))); diff != "" {
		t.Errorf("words of the file (-never given +taken out):\n%s", diff)
	}
	got = got.OnHost(helperHost())
	if text := e.Text(got); text != "" && e.computed == nil {
		t.Errorf("%s is still %s in\n%s", f, text, file.Bytes())
	}
}

// anyAdvanced is a random choice of advanced settings for s.
func anyAdvanced(t *testing.T, r *rand.Rand, s Settings) Settings {
	t.Helper()
	values := advancedValues()
	for _, e := range advancedSettings() {
		if r.IntN(4) > 0 {
			continue
		}
		texts := values[e.Field]
		text := texts[r.IntN(len(texts))]
		if e.Optional && r.IntN(3) == 0 {
			text = DefaultWord
		}
		e.Value.read(&s, text)
	}
	if s.SpareLinks != (SpareLinks{}) {
		s.Transport = ""
	}
	six := s.Current.Addr().Is6()
	if s.MulticastGroup != "" && six || s.Multicast() && s.MulticastGroup == "" {
		s.MulticastGroup = map[bool]string{false: "225.0.0.50", true: "ff05::50"}[six]
	}
	v := NewSettingTable().Values(s)
	if s.Mode == modeAlarm {
		s.ExternalCache = true
	}
	external := s.ExternalCache
	s, problems := NewSettingTable().Settings(NewSettingTable().Settle(v.With(FieldExternalCache, onOff(external)), func(Field) bool { return false }))
	if problems != nil {
		t.Fatalf("%v", problems)
	}
	return s
}

// What is given to a new file and removed again leaves it byte for byte as it was, but
// for what a new file has of its own.
func TestAdvancedSettingsLeaveANewFile(t *testing.T) {
	for f, texts := range advancedValues() {
		e, _ := NewSettingTable().Find(f)
		if f == FieldTransport || f == FieldMulticastGroup {
			continue // neither goes without the other; see TestTransportThereAndBack
		}
		for _, text := range texts {
			s := withText(t, pairSettings(), f, text)
			without := s
			e.Value.clear(&without)
			src := newFile(without, pairHost())
			file, _ := Parse("new", src)
			if _, _, err := file.Apply(without, pairHost()); err != nil {
				t.Fatal(err)
			}
			src = file.Bytes()
			had, _ := file.Settings()
			if _, _, err := file.Apply(s, pairHost()); err != nil {
				t.Fatalf("%s %s: %v", f, text, err)
			}
			back := DefaultWord
			if had = had.OnHost(pairHost()); e.Text(had) != "" {
				back = e.Text(had)
			}
			e.Value.read(&s, back)
			if _, _, err := file.Apply(s, pairHost()); err != nil {
				t.Fatalf("%s %s: %v", f, back, err)
			}
			if diff := cmp.Diff(string(src), string(file.Bytes())); diff != "" && text != modeAlarm { // which takes no DisableExternalCache
				t.Errorf("%s %s, then %s (-before +after):\n%s", f, text, back, diff)
			}
		}
	}
}

// A mode in a file that is new, or had none, replaces nothing.
func TestNewFileChangesNoMode(t *testing.T) {
	for _, mode := range []string{modeNotrack, modeAlarm} {
		for _, src := range []string{"", "Sync { UDP { IPv4_address 10.9.0.101 } }\n"} {
			s := pairSettings()
			s.Mode, s.ExternalCache = mode, true
			f, _ := Parse("new", []byte(src))
			_, notes, err := f.Apply(s, pairHost())
			if text := strings.Join(notes, "\n"); err != nil || strings.Contains(text, " becomes ") || strings.Contains(text, "does not take it") {
				t.Errorf("%s, %q: %s, %v", mode, src, text, err)
			}
		}
	}
}
