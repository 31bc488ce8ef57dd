package keepalived

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// repetition is a line that is read several times, with other values of parameters:
// "~SEQ(NAME, first, step, last) rest", in hexadecimal as ~SEQx, or "~LST(NAME, a, b) rest".
var (
	repetition = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^~(SEQx?|LST)[ \t]*\(([^)]*)\)[ \t]*(.*)$`) })
	sequence   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*,(.*)$`) })
	listed     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{([^{}]*)\}|[^,{} \t]+`) })
)

// repeat reads such a line. One that is not understood is in Config.Unread.
func (r *reader) repeat(file string, at int, s string, depth int) {
	m := repetition().FindStringSubmatch(s)
	if m == nil {
		r.unread(file, at, "the line that begins with ~ is not understood here")
		return
	}
	kind, rest := m[1], m[3]
	ok := false
	read := func(name, value string) bool {
		r.parameters[name] = value
		return r.spend(file, at, 1, len(rest)) && depth < maxDepth
	}
	if kind == "LST" {
		ok = r.list(m[2], func(names, values []string) bool {
			for i := range names {
				if !read(names[i], values[i]) {
					return false
				}
			}
			r.line(file, at, rest, depth+1)
			return true
		})
	} else {
		ok = r.sequence(m[2], func(name string, n int64) bool {
			base := 10
			if kind == "SEQx" {
				base = 16
			}
			if !read(name, strconv.FormatInt(n, base)) {
				return false
			}
			r.line(file, at, rest, depth+1)
			return true
		})
	}
	switch {
	case depth >= maxDepth:
		r.giveUp(file, at, "the parameters in it never end")
	case !ok:
		r.unread(file, at, "~%s(%s) is not understood here", kind, m[2])
	}
}

// sequence calls for each number of a ~SEQ until that returns false. It returns false for
// one that is not understood.
func (r *reader) sequence(spec string, each func(name string, n int64) bool) bool {
	m := sequence().FindStringSubmatch(spec)
	if m == nil {
		return false
	}
	text, _ := r.substitute(m[2])
	var numbers []int64
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(word), 0, 32)
		if err != nil {
			return false
		}
		numbers = append(numbers, n)
	}
	toward := func(from, to int64) int64 {
		if to < from {
			return -1
		}
		return 1
	}
	var first, step, last int64
	switch len(numbers) {
	case 1:
		first, last = 1, numbers[0]
		if last < 0 {
			first = -1
		}
		step = toward(1, last)
	case 2:
		first, last = numbers[0], numbers[1]
		step = toward(first, last)
	case 3:
		first, step, last = numbers[0], numbers[1], numbers[2]
	}
	if step == 0 || first < last && step < 0 || first > last && step > 0 {
		return false
	}
	for n := first; step > 0 && n <= last || step < 0 && n >= last; n += step {
		if !each(m[1], n) {
			break
		}
	}
	return true
}

// list calls for each set of values of a ~LST until that returns false. It returns false
// for one that is not understood.
func (r *reader) list(spec string, each func(names, values []string) bool) bool {
	text, _ := r.substitute(spec)
	var sets [][]string
	for _, m := range listed().FindAllStringSubmatch(text, -1) {
		set := []string{m[0]}
		if strings.HasPrefix(m[0], "{") {
			set = nil
			for value := range strings.SplitSeq(m[1], ",") {
				set = append(set, strings.TrimSpace(value))
			}
		}
		sets = append(sets, set)
	}
	if len(sets) < 2 {
		return false
	}
	for _, set := range sets {
		if len(set) != len(sets[0]) {
			return false
		}
	}
	for _, values := range sets[1:] {
		if !each(sets[0], values) {
			break
		}
	}
	return true
}
