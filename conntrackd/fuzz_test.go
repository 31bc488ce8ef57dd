package conntrackd

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"connsync/conntrackd/typed"
)

// seeds are short files with one oddity each.
func seeds() []string {
	return []string{
		"", "#", "# x\n", "{", "}", "/", "Sync", "Sync {", "Sync { UDP { } }\n", "Sync{UDP{Port 1}}", "Stats { }", "\ufeff", "\x00", "Mode", "for TCP",
		"Sync { Mode FTFW { } UDP Default { IPv4_address 1.2.3.4 # /24\n } }\n", "General { UNIX { Path /x } LockFile /x\r\n }\n",
		"General { Filter { Address Ignore { IPv4_address 1.2.3.4 } } }\n", "Sync { TCP { } Multicast { } }\n", "Sync { UDP { Port 3780#x\n} }\n",
		"Sync { UDP { IPv6_address ::1 # ::1/64 } }\n", "Stats { LogFile on }\nGeneral { Syslog on UNIX { Backlog 20 } }\n",
		"Sync { Mode ALARM { } UDP { } }\n", "Sync { UDP { } UDP Default { Interface eth2 } UDP { IPv4_address 10.9.0.101 } }\n", "Sync { CommitTimeout 1 Mode NOTRACK { CommitTimeout 2 } UDP { } }\n", "Helper { Type a b c { Policy x { } } }",
	}
}

// FuzzParse holds law 1 for every input, and that nothing makes the parser fail.
func FuzzParse(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, diags := Parse("fuzz", src)
		if !bytes.Equal(file.Bytes(), src) {
			t.Fatalf("printed %q, read %q", file.Bytes(), src)
		}
		for _, d := range diags {
			if d.Line < 1 || d.Line > bytes.Count(src, []byte("\n"))+1 || d.Column < 1 || d.Message == "" {
				t.Errorf("diagnostic %+v", d)
			}
		}
		if _, err := file.Settings(); err == nil {
			file.isDistributionFile()
		}
		_, _ = file.listening()
		if mode := file.Mode(); mode != "FTFW" && mode != "ALARM" && mode != "NOTRACK" {
			t.Errorf("mode %q", mode)
		}
		if end := file.SilentEnd(); end >= 0 && src[end] != 0 && src[end] < 0x80 {
			t.Errorf("%#x at %d ends nothing", src[end], end)
		}
		if path := file.ControlSocket(); path != "" && path[0] != '/' {
			t.Errorf("control socket %q", path)
		}
		requirePrivate(t, file)
	})
}

// requirePrivate holds that a copy of the file has no control socket of its own,
// and that its lines are those of the file.
func requirePrivate(t *testing.T, file *File) {
	t.Helper()
	src := file.Bytes()
	private, _ := Parse("private", src)
	private.ReplaceValues(map[string]string{"Path": "/dev/null/nobody"})
	content := private.Bytes()
	if bytes.Count(content, []byte("\n")) != bytes.Count(src, []byte("\n")) {
		t.Errorf("%q became %q", src, content)
	}
	again, _ := Parse("private", content)
	if path := again.ControlSocket(); path != "" && path != "/dev/null/nobody" {
		t.Errorf("%q became %q, with control socket %q", src, content, path)
	}
}

// FuzzApply holds the laws of the edit for every input: it takes or leaves the
// file as a whole, and takes each that the daemon reads, which stays such a file. What
// was set is in force, and setting it again changes nothing.
func FuzzApply(f *testing.F) {
	for i, s := range seeds() {
		f.Add([]byte(s), i%2 == 0, i%3 == 0, uint16(i+1))
	}
	f.Fuzz(func(t *testing.T, src []byte, external, six bool, port uint16) {
		s := pairSettings()
		s.ExternalCache, s.Port = external, max(port, 1)
		if six {
			s.Current, s.Peer = netip.MustParsePrefix("fd00::1/64"), netip.MustParsePrefix("fd00::2/64")
		}
		if port%3 == 0 {
			s = anyAdvanced(t, rand.New(rand.NewPCG(uint64(port), 3)), s)
		}
		if port%5 == 0 {
			s.SendBuffer, s.ReceiveBuffer = typed.SystemBuffer, typed.SystemBuffer
		}
		if port%3 == 0 {
			s.SpareLinks = spares(t, manySpares)
		}
		applyLaws(t, src, s)
	})
}

// applyLaws reports whether the file was edited.
func applyLaws(t *testing.T, src []byte, s Settings) bool {
	t.Helper()
	file, before := Parse("fuzz", src)
	wasTruncated, glued := file.cut >= 0, gluedReturns(file)
	if _, _, err := file.Apply(s, helperHost()); err != nil {
		if firstError(before) == nil && !wasTruncated && errors.Is(err, ErrDamaged) {
			t.Fatalf("%v: %q", err, src)
		}
		if !bytes.Equal(file.Bytes(), src) {
			t.Fatalf("%v, and %q became %q", err, src, file.Bytes())
		}
		return false
	}
	once := file.Bytes()
	again, after := Parse("fuzz", once)
	got, err := again.Settings()
	if err != nil || !same(got.OnHost(helperHost()).withHelpers(helperHost()), s.OnHost(helperHost()).withHelpers(helperHost())) {
		t.Fatalf("set %v, read %v (%v) from %q", s, got, err, once)
	}
	if _, _, err := again.Apply(s, helperHost()); err != nil || !bytes.Equal(again.Bytes(), once) {
		t.Fatalf("a second time (%v): %q became %q", err, once, again.Bytes())
	}
	requireComments(t, src, again)
	if gluedReturns(again) > glued {
		t.Fatalf("%q became %q, with a carriage return in a path", src, once)
	}
	if d := firstError(before); d == nil && !wasTruncated {
		if d := firstError(after); d != nil {
			t.Fatalf("%q became %q: %v", src, once, *d)
		}
	}
	return true
}

// notePattern finds the comments that the edit does not write itself.
var notePattern = regexp.MustCompile(`note[0-9]+`)

// requireComments holds that the edit has lost no such comment, but those within a block
// of which it has kept nothing.
func requireComments(t *testing.T, src []byte, edited *File) {
	t.Helper()
	kept := map[string]bool{}
	for _, note := range notePattern.FindAllString(edited.String(), -1) {
		kept[note] = true
	}
	f, _ := Parse("before", src)
	notes := func(first, last int) (all []string) {
		for _, tok := range f.toks[first : last+1] {
			if strings.Contains(tok.lead, "#") {
				all = append(all, notePattern.FindAllString(tok.lead, -1)...)
			}
		}
		return all
	}
	var gone func(nodes []*node)
	gone = func(nodes []*node) {
		for _, n := range nodes {
			if n.open < 0 || n.open == n.last {
				continue
			}
			all := notes(n.open+1, n.last)
			whole := slices.Contains([]string{"Mode", "UDP", "TCP", "Multicast", "Stats", "Protocol", "Address", "State", "ExpectationSync"}, n.text)
			if whole && !slices.ContainsFunc(all, func(note string) bool { return kept[note] }) {
				for _, note := range all {
					kept[note] = true
				}
			}
			gone(n.children)
		}
	}
	gone(f.top)
	if len(f.toks) == 0 {
		return
	}
	for _, note := range notes(0, len(f.toks)-1) {
		if !kept[note] {
			t.Fatalf("%q became %q, without %s", src, edited, note)
		}
	}
}

// gluedReturns are the paths that end in a carriage return.
func gluedReturns(f *File) (n int) {
	for _, t := range f.toks {
		if t.kind == kindPath && strings.HasSuffix(t.text, "\r") {
			n++
		}
	}
	return n
}

func firstError(diags []Diagnostic) *Diagnostic {
	for _, d := range diags {
		if d.Severity == SeverityError {
			return &d
		}
	}
	return nil
}

// Input made to hurt is read to its end, within the limit of go test, and kept
// as it is.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	const mega, flood = 1 << 20, 1 << 17 // bytes of one token, and of many
	crash, err := os.ReadFile(filepath.Join("testdata", "samples", "sync-ftfw.conf"))
	if err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]string{
		"line of 1 MiB":    "Sync { UDP { Interface " + strings.Repeat("x", mega) + " } }\n",
		"digits":           "Sync { UDP { Port " + strings.Repeat("9", mega) + " } }\n",
		"dots":             strings.Repeat("1.", flood/2),
		"hexadecimal":      strings.Repeat("a:", flood/2),
		"colons":           strings.Repeat(":", flood),
		"words":            strings.Repeat("a ", flood/2),
		"bars":             strings.Repeat("|", flood),
		"open braces":      strings.Repeat("{", flood),
		"closed braces":    strings.Repeat("}", flood),
		"nested":           strings.Repeat("Sync{", flood/8) + strings.Repeat("}", flood/8),
		"nested helpers":   "Helper {" + strings.Repeat("Type a inet tcp {", flood/32) + strings.Repeat("}", flood/32) + "}\n",
		"comment":          "#" + strings.Repeat("#", mega),
		"comment lines":    strings.Repeat("# x\n", mega/4),
		"path":             "General { LockFile /" + strings.Repeat("/", mega) + "\n}\n",
		"NULs":             strings.Repeat("\x00", flood),
		"NULs in a block":  "Sync {" + strings.Repeat("\x00", flood) + "}",
		"high bytes":       "Sync {" + strings.Repeat("\xff", flood) + "}",
		"carriage returns": strings.ReplaceAll(string(crash), "\n", "\r\n"),
		"only returns":     strings.Repeat("\r", mega),
		"links":            "Sync {" + strings.Repeat("UDP { Port 1 } ", flood/32) + "}\n",
		"duplicates":       "Sync { UDP {" + strings.Repeat("Port 1 ", flood/8) + "} }\n",
		"ignored":          "General { Filter { Address Ignore {" + strings.Repeat("IPv4_address 1.2.3.4\n", flood/32) + "} } }\n",
		"statistics":       strings.Repeat("Stats{}\n", 2000),
		"commit timeouts":  "Sync { UDP { } " + strings.Repeat("CommitTimeout 1 ", 2000) + "}\n",
		"escapes":          "Sync { UDP { Interface \x1b[2J\x1b]0;x\x07 } }\n",
	} {
		t.Run(name, func(t *testing.T) {
			f, diags := Parse(name, []byte(src))
			if string(f.Bytes()) != src {
				t.Error("it does not round-trip")
			}
			for _, d := range diags {
				if len(d.Message) > 1000 {
					t.Errorf("a message of %d bytes", len(d.Message))
				}
			}
			if _, _, err := f.Apply(pairSettings(), pairHost()); err != nil && string(f.Bytes()) != src {
				t.Errorf("refused and changed: %v", err)
			}
		})
	}
}
