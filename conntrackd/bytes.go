package conntrackd

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Bounds of a socket buffer that do what they say, in bytes. The kernel
// doubles what is asked (udp.c of the daemon uses SO_RCVBUFFORCE and
// SO_SNDBUFFORCE, so net.core.*mem_max does not count).
const (
	// MinBufferBytes holds about four sync messages of the 2 KB which the
	// kernel charges for a small one. Much less than that is raised to the
	// kernel's own floor and is not what was asked for.
	MinBufferBytes = 4096
	// MaxBufferBytes is the largest value that the kernel can still double.
	MaxBufferBytes = 1<<30 - 1
)

// bufferUnits are the endings understood after a number, in lower case. All
// are powers of 1024, as everywhere else where memory is meant.
func bufferUnit(s string) (int64, bool) {
	switch strings.ToLower(s) {
	case "", "b", "byte", "bytes":
		return 1, true
	case "k", "kb", "kib":
		return 1 << 10, true
	case "m", "mb", "mib":
		return 1 << 20, true
	case "g", "gb", "gib":
		return 1 << 30, true
	}
	return 0, false
}

// ParseBytes reads a size such as 65536, 128K, 64 KiB or 1M; K, KB and KiB all
// mean 1024 bytes. The error is a sentence for the person who typed it.
func ParseBytes(s string) (int, error) {
	n, message := parseBuffer(trim(s))
	if message == "" && trim(s) == "" {
		message = "no size is given; " + wantBuffer
	}
	if message != "" {
		return 0, fmt.Errorf("%s", message)
	}
	return n, nil
}

// FormatBytes writes n in the largest unit that shows it exactly, such as
// "64 KiB" or "1 MiB", and in bytes where there is none.
func FormatBytes(n int) string {
	switch {
	case n != 0 && n%(1<<30) == 0:
		return strconv.Itoa(n>>30) + " GiB"
	case n != 0 && n%(1<<20) == 0:
		return strconv.Itoa(n>>20) + " MiB"
	case n != 0 && n%(1<<10) == 0:
		return strconv.Itoa(n>>10) + " KiB"
	}
	return strconv.Itoa(n) + " bytes"
}

const wantBuffer = "type a number of bytes such as 65536, or 128K"

func parseBuffer(s string) (int, string) {
	if s == "" {
		return 0, ""
	}
	if f := foreign(s); f != "" {
		return 0, fmt.Sprintf("the size contains %s; %s", f, wantBuffer)
	}
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(s)
	}
	digits, rest := s[:end], strings.TrimLeft(s[end:], " \t")
	unit, known := bufferUnit(rest)
	switch {
	case s[0] == '-':
		return 0, fmt.Sprintf("size %s is negative; %s", show(s), wantBuffer)
	case s[0] == '+':
		return 0, fmt.Sprintf("size %s has a sign; %s", show(s), wantBuffer)
	case strings.HasPrefix(strings.ToLower(s), "0x"):
		return 0, fmt.Sprintf("size %s is hexadecimal; type it in decimal, such as 65536", show(s))
	case digits == "":
		return 0, fmt.Sprintf("size %s is no number; %s", show(s), wantBuffer)
	case strings.ContainsAny(rest, ".,'_"):
		return 0, fmt.Sprintf("size %s is no whole number; type it without point or comma, such as 65536", show(s))
	case rest != "" && strings.Trim(rest, "0123456789") == "":
		return 0, fmt.Sprintf("size %s is two numbers; type one, such as 65536", show(s))
	case !known && strings.EqualFold(rest, "kbit") || strings.EqualFold(rest, "mbit"):
		return 0, fmt.Sprintf("size %s is in bits; type bytes, such as 65536 or 128K", show(s))
	case !known:
		return 0, fmt.Sprintf("size %s ends in %s, which is no unit; use K or M, or %s", show(s), show(rest), wantBuffer)
	case len(digits) > 1 && digits[0] == '0':
		return 0, fmt.Sprintf("size %s begins with a zero; type it without, such as 65536", show(s))
	}
	// Beyond any integer type: such a number must not wrap, as it does in the
	// daemon.
	if len(digits) > 18 {
		digits = "999999999999999999"
	}
	n, _ := new(big.Int).SetString(digits, 10)
	n.Mul(n, big.NewInt(unit))
	if message := checkBuffer(n, s); message != "" {
		return 0, message
	}
	return int(n.Int64()), ""
}

func checkBuffer(n *big.Int, typed string) string {
	switch {
	case n.Sign() == 0:
		return fmt.Sprintf("size %s is nothing: the daemon would take it as not set; %s", show(typed), wantBuffer)
	case n.Sign() < 0:
		return fmt.Sprintf("size %s is negative; %s", show(typed), wantBuffer)
	case n.Cmp(big.NewInt(MinBufferBytes)) < 0:
		return fmt.Sprintf("size %s is less than %d: it would hold fewer than four sync messages; %s",
			show(typed), MinBufferBytes, wantBuffer)
	case n.Cmp(big.NewInt(MaxBufferBytes)) > 0:
		return fmt.Sprintf("size %s is more than %d, the most that the kernel can double; %s",
			show(typed), MaxBufferBytes, wantBuffer)
	}
	return ""
}
