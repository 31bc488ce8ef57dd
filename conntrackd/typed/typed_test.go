package typed

import (
	"net/netip"
	"testing"
)

// What the settings of an ordinary pair look like is read, and what is blank is
// not set. Which values are refused, and with which words, is tested with the
// settings.
func TestTypedValues(t *testing.T) {
	for text, want := range map[string]string{
		"": "invalid Prefix", "10.0.0.101/24": "10.0.0.101/24", "fd00::101/64": "fd00::101/64", "fe80::1%eth1/64": "fe80::1/64",
	} {
		if p, problem := Address(text, "eth1"); p.String() != want || problem != "" {
			t.Errorf("address %q: %v, %q", text, p, problem)
		}
	}
	for text, want := range map[string]int{"": 0, "65536": 65536, "128K": 131072, "64 KiB": 65536, "1m": 1 << 20} {
		if n, problem := BufferSize(text); n != want || problem != "" {
			t.Errorf("buffer size %q: %d, %q", text, n, problem)
		}
	}
	for text, want := range map[string]uint16{"": 0, "1": 1, "65535": 65535} {
		if n, problem := Port(text); n != want || problem != "" {
			t.Errorf("port %q: %d, %q", text, n, problem)
		}
	}
	for text, want := range map[string]bool{"": false, "on": true, "Enable": true, "off": false, "disabled": false} {
		on, problem := Switch(text)
		enabled, other := Enabled(text)
		if on != want || enabled != want || problem+other != "" {
			t.Errorf("switch %q: %t, %t, %q, %q", text, on, enabled, problem, other)
		}
	}
}

// A prefix length that is not known is a problem where it is required.
func TestAddressProblem(t *testing.T) {
	unknown := netip.PrefixFrom(netip.MustParseAddr("10.0.0.1"), -1)
	if AddressProblem(unknown, false) != "" || AddressProblem(unknown, true) == "" {
		t.Error("the prefix length is not known")
	}
	for text, bad := range map[string]bool{"10.0.0.1/24": false, "10.0.0.0/24": true, "10.0.0.0/31": false, "127.0.0.1/8": true, "fd00::/64": true} {
		if problem := AddressProblem(netip.MustParsePrefix(text), true); (problem != "") != bad {
			t.Errorf("%s: %q", text, problem)
		}
	}
}
