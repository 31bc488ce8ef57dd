package typed

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Bounds of a socket buffer that do what they say, in bytes. The kernel
// doubles what is asked (udp.c of the daemon uses SO_RCVBUFFORCE and
// SO_SNDBUFFORCE, so net.core.*mem_max does not count).
const (
	// minBufferSize holds about four sync messages of the 2 KB which the
	// kernel charges for a small one. Much less than that is raised to the
	// kernel's own floor and is not what was asked for.
	minBufferSize = 4096
	// maxBufferSize is the largest value that the kernel can still double.
	maxBufferSize = 1<<30 - 1
)

// bufferUnit knows the endings understood after a number, in lower case. All
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

// SystemBuffer is the size of a buffer that nobody asks for, and SystemBufferWord
// how it is typed. The kernel has one then (net.core.wmem_default, rmem_default). No
// number that stands in a file is read as it.
const (
	SystemBuffer     = math.MinInt
	SystemBufferWord = "system"
)

// WantBufferSize says what to type for a buffer size.
const WantBufferSize = "type a number of bytes such as 65536, or 128K"

// BufferSize reads the size of a socket buffer in bytes, such as 65536, 128K, 64
// KiB or 1M, without blank space around it; K, KB and KiB all mean 1024 bytes.
// [SystemBufferWord] is [SystemBuffer]. A blank text is zero and no problem.
func BufferSize(s string) (n int, problem string) {
	switch {
	case s == "":
		return 0, ""
	case strings.EqualFold(s, SystemBufferWord):
		return SystemBuffer, ""
	}
	size, problem := bytes(s)
	if problem == "" {
		problem = checkBufferSize(size, s)
	}
	if problem != "" {
		return 0, problem
	}
	return int(size.Int64()), ""
}

// EventBuffer reads the size of a buffer for the kernel's events as [BufferSize] does.
// [DefaultWord] is [DefaultNumber].
func EventBuffer(s string) (n int, problem string) {
	switch {
	case s == "":
		return 0, ""
	case strings.EqualFold(s, DefaultWord):
		return DefaultNumber, ""
	}
	size, problem := bytes(s)
	switch {
	case problem != "":
		return 0, problem
	case size.Cmp(big.NewInt(1)) < 0 || size.Cmp(big.NewInt(maxBufferSize)) > 0:
		return 0, fmt.Sprintf("size %s is out of range; type 1 to %d bytes, such as 2097152 or 2M", Show(s), maxBufferSize)
	}
	return int(size.Int64()), ""
}

// bytes reads a number of bytes with or without a unit.
func bytes(s string) (size *big.Int, problem string) {
	if f := Foreign(s); f != "" {
		return nil, fmt.Sprintf("the size contains %s; %s", f, WantBufferSize)
	}
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(s)
	}
	digits, rest := s[:end], strings.TrimLeft(s[end:], " \t")
	unit, known := bufferUnit(rest)
	switch {
	case s[0] == '-':
		return nil, fmt.Sprintf("size %s is negative; %s", Show(s), WantBufferSize)
	case s[0] == '+':
		return nil, fmt.Sprintf("size %s has a sign; %s", Show(s), WantBufferSize)
	case strings.HasPrefix(strings.ToLower(s), "0x"):
		return nil, fmt.Sprintf("size %s is hexadecimal; type it in decimal, such as 65536", Show(s))
	case digits == "":
		return nil, fmt.Sprintf("size %s is not a number; %s", Show(s), WantBufferSize)
	case strings.ContainsAny(rest, ".,'_"):
		return nil, fmt.Sprintf("size %s is not a whole number; type it without point or comma, such as 65536", Show(s))
	case rest != "" && strings.Trim(rest, "0123456789") == "":
		return nil, fmt.Sprintf("size %s is two numbers; type one, such as 65536", Show(s))
	case !known && strings.EqualFold(rest, "kbit") || strings.EqualFold(rest, "mbit"):
		return nil, fmt.Sprintf("size %s is in bits; type bytes, such as 65536 or 128K", Show(s))
	case !known:
		return nil, fmt.Sprintf("size %s ends in %s, which is not a unit; use K or M, or %s", Show(s), Show(rest), WantBufferSize)
	case len(digits) > 1 && digits[0] == '0':
		return nil, fmt.Sprintf("size %s begins with a zero; type it without, such as 65536", Show(s))
	}
	// Beyond any integer type: such a number must not wrap, as it does in the
	// daemon.
	if len(digits) > 18 {
		digits = "999999999999999999"
	}
	size, _ = new(big.Int).SetString(digits, 10)
	size.Mul(size, big.NewInt(unit))
	return size, ""
}

// BufferSizeProblem says why n bytes cannot be the size of a socket buffer; blank
// where they can.
func BufferSizeProblem(n int) string {
	if n == SystemBuffer {
		return ""
	}
	return checkBufferSize(big.NewInt(int64(n)), strconv.Itoa(n))
}

// FormatBufferSize is the text for a size, as it can be typed; blank for zero.
func FormatBufferSize(n int) string {
	switch n {
	case 0:
		return ""
	case SystemBuffer:
		return SystemBufferWord
	}
	return strconv.Itoa(n)
}

func checkBufferSize(n *big.Int, typed string) string {
	switch {
	case n.Sign() == 0:
		return fmt.Sprintf("size %s is not valid: size must be at least 4096 bytes; %s", Show(typed), WantBufferSize)
	case n.Sign() < 0:
		return fmt.Sprintf("size %s is negative; %s", Show(typed), WantBufferSize)
	case n.Cmp(big.NewInt(minBufferSize)) < 0:
		return fmt.Sprintf("size %s is less than %d: it would hold fewer than four sync messages; %s",
			Show(typed), minBufferSize, WantBufferSize)
	case n.Cmp(big.NewInt(maxBufferSize)) > 0:
		return fmt.Sprintf("size %s is more than %d, the most that the kernel can double; %s",
			Show(typed), maxBufferSize, WantBufferSize)
	}
	return ""
}
