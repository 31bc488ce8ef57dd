package service

import (
	"context"
	"slices"
	"testing"
)

func TestFindService(t *testing.T) {
	var direct *Direct
	present := &fakeSystemd{states: []map[string]any{props()}}
	masked := &fakeSystemd{states: []map[string]any{inactive("masked")}}
	absent := &fakeSystemd{states: []map[string]any{inactive("not-found")}}
	mute := &fakeSystemd{}
	never := func() bool { return false }
	for _, test := range []struct {
		choice string
		booted bool
		fake   *fakeSystemd
		want   string
	}{
		{"auto", false, present, "direct"},
		{"", false, present, "direct"},
		{"auto", true, present, "systemd"},
		{"auto", true, masked, "systemd"},
		{"auto", true, absent, "direct"},
		{"auto", true, mute, "systemd"},
		{"systemd", false, absent, "systemd"},
		{"direct", true, present, "direct"},
		{"none", true, present, "none"},
		{"openrc", true, present, "openrc"},
		{"sysv", true, present, "sysv"},
		{"upstart", true, present, "error"},
	} {
		direct = &Direct{}
		f := serviceFinder{
			direct:            direct,
			bootedWithSystemd: func() bool { return test.booted }, systemd: newFake(test.fake),
			bootedWithOpenRC: never, bootedWithSysV: never, inChroot: never, openRC: NewOpenRC(nil), sysV: NewSysV(nil),
		}
		got := "error"
		found, err := f.find(t.Context(), test.choice)
		switch {
		case err != nil:
		case found == Service(direct):
			got = "direct"
		case found == Service(f.systemd):
			got = "systemd"
		case found == Service(f.openRC):
			got = "openrc"
		case found == Service(f.sysV):
			got = "sysv"
		case found == Service(Unmanaged{}):
			got = "none"
		}
		if got != test.want {
			t.Errorf("choice %q, booted %v: %s (%v), want %s", test.choice, test.booted, got, err, test.want)
		}
		if want := test.fake == absent && test.choice == "auto"; direct.NoBoot != want {
			t.Errorf("choice %q, booted %v: NoBoot %v, want %v", test.choice, test.booted, direct.NoBoot, want)
		}
		if want := !slices.Contains(Choices(), test.choice) && test.choice != ""; (err != nil) != want {
			t.Errorf("choice %q: error %v", test.choice, err)
		}
	}
	var none Unmanaged
	for _, call := range []func(context.Context) error{none.Restart, none.Stop, none.Enable, none.Disable} {
		checkServiceError(t, call(t.Context()), ErrUnmanaged, "")
	}
}

// In a chroot that nobody has chosen the host's services are not this program's.
func TestFindInAChroot(t *testing.T) {
	never := func() bool { return false }
	yes := func() bool { return true }
	for choice, want := range map[string]bool{"auto": true, "": true, "direct": false} {
		direct := &Direct{}
		f := serviceFinder{direct: direct, inChroot: yes, bootedWithSystemd: yes, bootedWithOpenRC: never, bootedWithSysV: never, systemd: newFake(&fakeSystemd{states: []map[string]any{props()}})}
		if found, err := f.find(t.Context(), choice); found != Service(direct) || err != nil || direct.Chroot != want {
			t.Errorf("%q: %v, %v; in a chroot: %t, want %t", choice, found, err, direct.Chroot, want)
		}
	}
}
