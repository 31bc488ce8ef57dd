package shell

import "strings"

// Program is how the operator calls this program: the flags that every command takes and
// that say on which file, service and directories it works. A command that is printed has
// to have them, or it would work on others. They are pairs of a flag and its value, with a
// NUL behind each; the zero value has none.
type Program string

// With is p with a flag, such as "--config", in place of the same flag that it has.
func (p Program) With(flag, value string) Program {
	flags, replaced := Program(""), false
	for has, was := range p.pairs {
		if has == flag {
			was, replaced = value, true
		}
		flags += Program(has + "\x00" + was + "\x00")
	}
	if !replaced {
		flags += Program(flag + "\x00" + value + "\x00")
	}
	return flags
}

func (p Program) pairs(yield func(flag, value string) bool) {
	words := strings.Split(string(p), "\x00")
	for i := 0; i+1 < len(words); i += 2 {
		if !yield(words[i], words[i+1]) {
			return
		}
	}
}

// Command is a command of this program for this node, to paste: the words and then the flags
// of p, quoted for a shell.
func (p Program) Command(words ...string) string {
	words = append([]string{"connsync"}, words...)
	for flag, value := range p.pairs {
		words = append(words, flag, value)
	}
	return Line(words...)
}

// OnBoth is a command for both nodes. The flags of p are this node's, and the peer has its
// own.
func (p Program) OnBoth(words ...string) string {
	here, there := p.Command(words...), Program("").Command(words...)
	if here == there {
		return here
	}
	return here + " (on the peer " + there + ")"
}
