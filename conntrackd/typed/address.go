package typed

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"

	"connsync/plural"
)

const hexDigits = "0123456789abcdefABCDEF"

const wantAddress = "type address/prefix, such as 10.0.0.101/24 or fd00::101/64"

// Address reads address/prefix, without blank space around it. A zone may stand
// after a link-local address and has to be iface, where that is not blank; the
// Prefix returned is without it. A blank text is the zero Prefix and no problem.
// Whether the address itself can be used is for [AddressProblem] to say.
func Address(s, iface string) (p netip.Prefix, problem string) {
	if s == "" {
		return netip.Prefix{}, ""
	}
	if m := addressWriting(s); m != "" {
		return netip.Prefix{}, m
	}
	host, length, slash := strings.Cut(s, "/")
	host, zone, zoned := strings.Cut(host, "%")
	addr, m := parseHost(host)
	if m != "" {
		return netip.Prefix{}, m
	}
	// An address that cannot be used at all is no example of how to write it.
	bits, _ := strconv.Atoi(length)
	if m := kindProblem(addr, bits); m != "" {
		return netip.Prefix{}, m
	}
	if zoned {
		if m := zoneProblem(addr, zone, iface, length); m != "" {
			return netip.Prefix{}, m
		}
	}
	if !slash {
		return netip.Prefix{}, fmt.Sprintf("%s has no prefix length; type it after a slash, such as %s/%d", Show(s), addr, usualBits(addr))
	}
	n, m := parseLength(s, addr, length)
	if m != "" {
		return netip.Prefix{}, m
	}
	return netip.PrefixFrom(addr, n), ""
}

func usualBits(a netip.Addr) int {
	if a.Is4() {
		return 24
	}
	return 64
}

// addressWriting finds what is wrong with s as a piece of text, before any of
// it is taken for an address.
func addressWriting(s string) string {
	if f := Foreign(s); f != "" {
		return fmt.Sprintf("the address contains %s; %s", f, wantAddress)
	}
	switch {
	case strings.Contains(s, "://"):
		return fmt.Sprintf("%s is a URL; %s", Show(s), wantAddress)
	case strings.ContainsAny(s, "[]"):
		return fmt.Sprintf("%s has brackets; type it without them, such as fd00::101/64", Show(s))
	case strings.Contains(s, `\`):
		return fmt.Sprintf("%s has a backslash; type a slash before the prefix length, such as 10.0.0.101/24", Show(s))
	case strings.ContainsAny(s, " \t"):
		return spacedAddress(s)
	case strings.Contains(s, ",") && strings.Contains(s, ":"), strings.Contains(s, ",") && strings.HasPrefix(strings.ToLower(s), "f"):
		return fmt.Sprintf("%s has a comma; type one address with colons, such as fd00::101/64", Show(s))
	case strings.Contains(s, ",") && strings.Contains(strings.ReplaceAll(s, ",", ""), "."):
		return fmt.Sprintf("%s has a comma; type one address with dots, such as 10.0.0.101/24", Show(s))
	case strings.Contains(s, ","):
		return fmt.Sprintf("%s has commas; type dots, such as 10.0.0.101/24", Show(s))
	case strings.Contains(s, ";"):
		return fmt.Sprintf("%s has a semicolon; %s", Show(s), wantAddress)
	case strings.Contains(s, "*"):
		return fmt.Sprintf("%s has a wildcard; type one whole address, such as 10.0.0.101/24", Show(s))
	case strings.Count(s, "/") > 1:
		return fmt.Sprintf("%s has more than one slash; %s", Show(s), wantAddress)
	case s[0] == '-' || s[0] == '+':
		return fmt.Sprintf("%s begins with a sign; %s", Show(s), wantAddress)
	case s[0] == '/':
		return fmt.Sprintf("%s has no address before the slash; %s", Show(s), wantAddress)
	}
	return ""
}

// spacedAddress names the two usual reasons for a space: a netmask after the
// address, and space around the slash.
func spacedAddress(s string) string {
	words := strings.Fields(s)
	if len(words) == 2 && !strings.Contains(s, "/") {
		a, aErr := netip.ParseAddr(words[0])
		m, mErr := netip.ParseAddr(words[1])
		if aErr == nil && mErr == nil && a.Is4() && m.Is4() {
			if n, ok := maskBits(m); ok {
				return fmt.Sprintf("%s has a netmask; type the prefix length: %s/%d", Show(s), a, n)
			}
			return fmt.Sprintf("%s is two addresses; type one, such as %s/24", Show(s), a)
		}
	}
	return fmt.Sprintf("%s contains a space; type it without, such as 10.0.0.101/24", Show(s))
}

// maskBits is the prefix length of an IPv4 netmask.
func maskBits(m netip.Addr) (int, bool) {
	b := m.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := bits.LeadingZeros32(^v)
	return n, v != 0 && v<<n == 0
}

func zoneProblem(addr netip.Addr, zone, iface, length string) string {
	if n, err := strconv.Atoi(length); err != nil || n < 1 || n > addr.BitLen() {
		length = strconv.Itoa(usualBits(addr))
	}
	with := addr.WithZone("").String() + "/" + length
	switch {
	case zone == "":
		return fmt.Sprintf("nothing stands after the %%; type %s", with)
	case !addr.IsLinkLocalUnicast() || addr.Is4():
		return fmt.Sprintf("%%%s belongs to IPv6 link-local addresses only; type %s", zone, with)
	case iface != "" && zone != iface:
		return fmt.Sprintf("%%%s is not the interface chosen, %s; type %s", zone, iface, with)
	}
	return ""
}

// parseLength reads what stands after the slash.
func parseLength(s string, addr netip.Addr, length string) (int, string) {
	like := fmt.Sprintf("such as %s/%d", addr, usualBits(addr))
	digits := length != "" && strings.Trim(length, "0123456789") == ""
	switch {
	case length == "":
		return 0, fmt.Sprintf("%s has nothing after the slash; type the prefix length, %s", Show(s), like)
	case strings.Contains(length, "%"):
		return 0, fmt.Sprintf("%s has the zone after the prefix length; type %s/%d without it", Show(s), addr, usualBits(addr))
	case strings.Contains(length, "."):
		return 0, maskLength(s, addr, length)
	case length[0] == '-' || length[0] == '+':
		return 0, fmt.Sprintf("%s has a sign in its prefix length; type digits only, %s", Show(s), like)
	case strings.Contains(length, ":"):
		return 0, fmt.Sprintf("%s has a port or a netmask after the slash; type the prefix length, %s", Show(s), like)
	case !digits:
		return 0, fmt.Sprintf("%s has the prefix length %s, which is not a number; type it in digits, %s", Show(s), Show(length), like)
	case len(length) > 1 && length[0] == '0':
		return 0, fmt.Sprintf("%s has a prefix length with a leading zero; type it without, %s", Show(s), like)
	}
	n, err := strconv.Atoi(length)
	switch {
	case err != nil || n > addr.BitLen():
		family := "IPv6"
		if addr.Is4() {
			family = "IPv4"
		}
		return 0, fmt.Sprintf("%s has a prefix length above /%d, the longest for %s; %s",
			Show(s), addr.BitLen(), family, "type it "+like)
	case n == 0:
		return 0, fmt.Sprintf("%s covers every address; type the prefix length of the sync subnet, %s", Show(s), like)
	}
	return n, ""
}

func maskLength(s string, addr netip.Addr, length string) string {
	m, err := netip.ParseAddr(length)
	if err != nil || !m.Is4() || !addr.Is4() {
		return fmt.Sprintf("%s has the prefix length %s, which is not a whole number; type such as %s/%d",
			Show(s), Show(length), addr, usualBits(addr))
	}
	if n, ok := maskBits(m); ok {
		return fmt.Sprintf("%s has a netmask; type the prefix length: %s/%d", Show(s), addr, n)
	}
	b := m.As4()
	if n, ok := maskBits(netip.AddrFrom4([4]byte{^b[0], ^b[1], ^b[2], ^b[3]})); ok {
		return fmt.Sprintf("%s has a wildcard mask; type the prefix length: %s/%d", Show(s), addr, n)
	}
	return fmt.Sprintf("%s has the netmask %s, which has gaps; type the prefix length, such as %s/24", Show(s), m, addr)
}

// parseHost reads an address without prefix and zone, and where it cannot, says
// which part of it is wrong.
func parseHost(s string) (netip.Addr, string) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a, ""
	}
	switch {
	case strings.HasPrefix(strings.ToLower(s), "0x"):
		return netip.Addr{}, fmt.Sprintf("%s is hexadecimal; type four numbers with dots, such as 10.0.0.101/24", Show(s))
	case strings.Count(s, ":") == 1 && strings.Contains(s, "."):
		return netip.Addr{}, fmt.Sprintf("%s has a port; type the address alone, such as 10.0.0.101/24, and the port in its own field", Show(s))
	case strings.Contains(s, ":"):
		return netip.Addr{}, colonProblem(s)
	case strings.Trim(s, "0123456789.") == "":
		return netip.Addr{}, dottedProblem(s)
	case strings.Trim(s, "0123456789.-") == "":
		return netip.Addr{}, fmt.Sprintf("%s is a range; type one address, such as 10.0.0.101/24", Show(s))
	case strings.Contains(s, ".") && strings.Trim(s, "0123456789.oOlI") == "":
		return netip.Addr{}, fmt.Sprintf("%s has a letter among its digits (O for 0, l or I for 1?); %s", Show(s), wantAddress)
	case strings.Count(s, ".") == 3 && strings.Contains(strings.ToLower(s), "0x"):
		return netip.Addr{}, fmt.Sprintf("%s has a hexadecimal number; type four decimal numbers, such as 10.0.0.101/24", Show(s))
	}
	return netip.Addr{}, fmt.Sprintf("%s is a host name; conntrackd needs an IP address; %s", Show(s), wantAddress)
}

func dottedProblem(s string) string {
	const want = "type four numbers from 0 to 255, such as 10.0.0.101/24"
	parts := strings.Split(s, ".")
	if len(parts) == 1 {
		return fmt.Sprintf("%s is one number; %s", Show(s), want)
	}
	for _, p := range parts {
		if p == "" {
			return fmt.Sprintf("%s has a dot too many or a number too few; %s", Show(s), want)
		}
	}
	if len(parts) != 4 {
		return fmt.Sprintf("%s has %s; %s", Show(s), plural.Of(len(parts), "number", "numbers"), want)
	}
	for _, p := range parts {
		if len(p) > 1 && p[0] == '0' {
			return fmt.Sprintf("%s has %s with a leading zero, which some read as octal; type %s",
				Show(s), p, Show(decimal(p)))
		}
		if n, err := strconv.Atoi(p); err != nil || n > 255 {
			return fmt.Sprintf("%s has %s, which is above 255; %s", Show(s), p, want)
		}
	}
	return fmt.Sprintf("%s is no IPv4 address; %s", Show(s), want)
}

func decimal(p string) string {
	if p = strings.TrimLeft(p, "0"); p == "" {
		return "0"
	}
	return p
}

func colonProblem(s string) string {
	const want = "type such as fd00::101/64"
	if groups := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '-' }); len(groups) == 6 && macLike(groups) {
		return fmt.Sprintf("%s is a hardware address; type the IP address, such as 10.0.0.101/24", Show(s))
	}
	switch {
	case strings.Contains(s, ":::"):
		return fmt.Sprintf("%s has three colons in a row; %s", Show(s), want)
	case strings.Count(s, "::") > 1:
		return fmt.Sprintf("%s has :: twice, which may stand once; %s", Show(s), want)
	}
	groups := strings.Split(s, ":")
	for _, g := range groups {
		if strings.Contains(g, ".") {
			continue
		}
		if i := strings.IndexFunc(g, func(r rune) bool { return !strings.ContainsRune(hexDigits, r) }); i >= 0 {
			return fmt.Sprintf("%s has %q, which is not a hexadecimal digit; %s", Show(s), g[i], want)
		}
		if len(g) > 4 {
			return fmt.Sprintf("%s has the group %s, which is longer than four digits; %s", Show(s), g, want)
		}
	}
	compressed := strings.Contains(s, "::")
	switch {
	case strings.Contains(s, "."):
		return fmt.Sprintf("%s mixes IPv6 and a bad IPv4 part; %s", Show(s), want)
	case len(groups) > 8:
		return fmt.Sprintf("%s has more than eight groups; %s", Show(s), want)
	case !compressed && (groups[0] == "" || groups[len(groups)-1] == ""):
		return fmt.Sprintf("%s begins or ends in a single colon; %s", Show(s), want)
	case !compressed:
		return fmt.Sprintf("%s has %s instead of eight and no ::; %s", Show(s), plural.Of(len(groups), "group", "groups"), want)
	}
	return fmt.Sprintf("%s is no IPv6 address; %s", Show(s), want)
}

func macLike(groups []string) bool {
	for _, g := range groups {
		if len(g) != 2 || strings.Trim(g, hexDigits) != "" {
			return false
		}
	}
	return true
}
