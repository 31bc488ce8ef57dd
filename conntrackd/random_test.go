package conntrackd

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// scribe writes files that follow the schema, mostly.
type scribe struct {
	*rand.Rand
	b     strings.Builder
	last  string // the word written last
	notes int
}

// note is a comment that no other is like.
func (s *scribe) note() string {
	s.notes++
	return fmt.Sprintf("# note%d\n", s.notes)
}

func (s *scribe) pick(of ...string) string { return of[s.IntN(len(of))] }

func (s *scribe) word(text string) {
	between := s.pick(" ", " ", "\n", "\n\t", "\t", "\r", " "+s.note(), "\r\n", "\n# 10.9.0.101/24\n")
	if s.last != "" && s.IntN(4) == 0 {
		alone, _ := match(s.last)
		if glued, _ := match(s.last + text); glued == alone {
			between = "" // the daemon reads two words all the same
		}
	}
	s.b.WriteString(between + text)
	s.last = text
}

func (s *scribe) section(in section, depth int) {
	var rules []*rule
	for i := range schema {
		for _, place := range schema[i].in {
			if place == in && schema[i].keyword != "Helper" {
				rules = append(rules, &schema[i])
			}
		}
	}
	for range s.IntN(6) {
		if k, ok := items[in]; ok && (rules == nil || s.IntN(2) == 0) {
			s.word(s.value(&rule{}, one(k)))
			continue
		}
		r := rules[s.IntN(len(rules))]
		if s.IntN(200) == 0 {
			r = &schema[s.IntN(len(schema))] // in a wrong place
		}
		s.directive(r, depth)
	}
	if in == inStates {
		s.word("for TCP")
	}
}

func (s *scribe) directive(r *rule, depth int) {
	s.word(r.keyword)
	shape := r.shapes[s.IntN(len(r.shapes))]
	for _, a := range shape.args {
		if s.IntN(300) == 0 {
			continue // left out
		}
		s.word(s.value(r, a))
	}
	if shape.block == noBlock {
		return
	}
	s.word("{")
	if depth < 4 {
		s.section(shape.block, depth+1)
	}
	s.word("}")
}

func (s *scribe) value(r *rule, a arg) string {
	if a.word != "" {
		return a.word
	}
	switch a.kind {
	case kindOn:
		return s.pick("on", "ON", "yes", "On")
	case kindOff:
		return s.pick("off", "No", "OFF")
	case kindNumber:
		return s.pick("1", "3780", "65536", "70000", "0", "007", "2147483648", "99999999999999999999", "50")
	case kindSigned:
		return s.pick("-5", "+0")
	case kindPath:
		return s.pick("/nonexistent/a", "/nonexistent/b.ctl", "/nonexistent/"+strings.Repeat("x", 95), "/nonexistent/{}")
	case kindAddress:
		if strings.HasPrefix(r.keyword, "IPv4") {
			return s.pick("10.9.0.101", "10.9.0.102", "10.9.0.1", "127.0.0.1", "10.9.0.0/24", "10.9.0.300", "010.1.1.1", "fd00::7", "10.9.0.102/32", "10.9.0.3/99")
		}
		return s.pick("fd00::1", "::1", "fd00::/64", "fd00::2", "abc", "1.2.3.4", "fd00::3/200", "::ffff:10.9.0.101")
	case kindAlarm:
		return s.pick("ALARM", "alarm")
	case kindFTFW:
		return s.pick("FTFW", "ftfw", "NACK")
	case kindNotrack:
		return "NOTRACK"
	}
	return s.pick("eth1", "eth0", "tcp", "udp", "inet", "rr", "daemon", "ftp", "bond0.1", "averyverylongname16")
}

// Files written at random from the schema: parser and daemon agree on each, the
// laws of the edit hold, and the daemon reads what comes out.
func TestRandomFiles(t *testing.T) {
	t.Parallel()
	accepted, edited := 0, 0
	for seed := range uint64(600) {
		s := &scribe{Rand: rand.New(rand.NewPCG(seed, 1))}
		for range 1 + s.IntN(3) {
			s.directive(&schema[[]int{0, 0, 1, 1, 2}[s.IntN(5)]], 1)
		}
		src := []byte(s.b.String() + " \nGeneral { UNIX { Path /nonexistent/last } }\n")
		want := pairSettings()
		want.ExternalCache = s.IntN(2) == 0
		if seed%4 == 0 {
			want.Port = 378 // which with a letter behind it is an address
		}
		if seed%3 == 0 {
			want.SpareLinks = spares(t, s.pick("eth0 10.9.0.1/24 10.9.0.3/24", manySpares, "bond0.1 fd00::1/64 fd00::2/64 50"))
		}
		if seed%2 == 1 {
			want = anyAdvanced(t, s.Rand, want)
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			file, diags := Parse("random", src)
			ours := firstError(diags) == nil
			theirs, complaints := daemonSays(t, src)
			if ours != theirs {
				t.Fatalf("accepted %v, the daemon %v: %v\n%v\n%s", ours, theirs, complaints, firstError(diags), src)
			}
			if !applyLaws(t, src, want) || !theirs {
				return
			}
			accepted++
			if _, _, err := file.Apply(want, helperHost()); err != nil {
				t.Fatal(err)
			}
			if ok, complaints := daemonSays(t, elsewhere(file.Bytes())); !ok {
				t.Fatalf("the daemon refuses %q\n%s\nmade of\n%s", complaints, file.Bytes(), src)
			}
			edited++
		})
	}
	if accepted < 100 || edited != accepted {
		t.Errorf("%d files were good and %d edited: the test is not worth much", accepted, edited)
	}
}

// Files of blocks, directives and comments that are glued together at random,
// with ends of lines in odd places, many of them with errors: the laws of the
// edit hold for each.
func TestGluedFiles(t *testing.T) {
	t.Parallel()
	between := []string{"", "", "", " ", " ", "\n", "\t", "\r", "\r\n", "#", "#x", " # /24", "#\n", "# x\n", " # /24\n", "#UNIX{\n", "{", "}"}
	blocks := []string{"Sync{", "Sync{", "General{", "General{", "UDP{", "UNIX{", "Mode FTFW{", "Mode NOTRACK{", "Mode ALARM{", "Stats{", "Filter{", "Address Ignore{", "TCP{", "UDP Default{", "Helper{"}
	values := []string{"on", "off", "1", "3780", "-1", "10.9.0.101", "10.9.0.102/24", "fd00::1", "/x", "/x}", "/", "eth1", "FTFW", "Ignore", "#", "\x80", "\""}
	const count = 5000
	edited := 0
	for seed := range uint64(count) {
		s := &scribe{Rand: rand.New(rand.NewPCG(seed, 2))}
		depth := 0
		for range 1 + s.IntN(14) {
			switch {
			case s.IntN(5) < 2:
				s.b.WriteString(s.pick(blocks...))
				depth++
			case s.IntN(3) == 0 && depth > 0:
				s.b.WriteByte('}')
				depth--
			default:
				s.b.WriteString(schema[s.IntN(len(schema))].keyword + " " + s.pick(values...))
			}
			s.b.WriteString(s.pick(append(between, s.note(), " "+s.note())...))
		}
		for range depth {
			s.b.WriteString("}" + s.pick("", "", "", "", "", "\n", "\t", "\r", "#", " # x"))
		}
		want := pairSettings()
		want.ExternalCache = s.IntN(2) == 0
		if seed%4 == 0 {
			want.Port = 378
		}
		if seed%3 == 0 {
			want.SpareLinks = spares(t, s.pick("eth0 10.9.0.1/24 10.9.0.3/24", manySpares))
		}
		if seed%2 == 1 {
			want = anyAdvanced(t, s.Rand, want)
		}
		if applyLaws(t, []byte(s.b.String()), want) {
			edited++
		}
	}
	if edited < count/4 {
		t.Errorf("%d of %d files were edited: the test is not worth much", edited, count)
	}
}
