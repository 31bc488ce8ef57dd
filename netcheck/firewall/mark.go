package firewall

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
)

// markBits is a mark of which some bits may not be known: those that are have a one in known.
// The zero value is one of which nothing is known.
type markBits struct{ bits, known uint32 }

func knownMark(bits uint32) markBits { return markBits{bits, 0xffffffff} }

func (m markBits) value() value {
	return value{binary.NativeEndian.AppendUint32(nil, m.bits), binary.NativeEndian.AppendUint32(nil, m.known)}
}

// markOf is the mark in 4 bytes of a register.
func markOf(v value) markBits {
	known := binary.NativeEndian.Uint32(v.known)
	return markBits{binary.NativeEndian.Uint32(v.bytes) & known, known}
}

// only is the mark without all bits but some.
func (m markBits) only(bits uint32) markBits { return markBits{m.bits & bits, m.known | ^bits} }

func (m markBits) xor(other markBits) markBits {
	both := m.known & other.known
	return markBits{(m.bits ^ other.bits) & both, both}
}

// or is what is known of a mark that is this one or another.
func (m markBits) or(other markBits) markBits {
	same := m.known & other.known &^ (m.bits ^ other.bits)
	return markBits{m.bits & same, same}
}

// is says whether some bits of the mark are as given.
func (m markBits) is(bits, mask uint32) truth {
	return m.only(mask).value().equals(knownMark(bits).value().bytes)
}

// marks are those of a packet and of its connection.
type marks struct{ packet, connection markBits }

// setMark is for a rule that gives the packet a mark: on the way out the kernel may choose
// another route by that, where a policy rule asks for marks.
func (w *follower) setMark(holds truth, to markBits) {
	w.replaceMark(&w.flow.packet, holds, to)
	chooses := w.base.Kind == "route" || w.base.program != "" && w.base.Table == "mangle" && w.base.Hook == hookOutput
	if chooses && w.rules.marked != nil && w.rules.marked(w.flow.link.Family()) {
		w.flow.changed |= astray
	}
}

// setConnectionMark is for a rule that gives the packet's connection a mark, if it has one.
func (w *follower) setConnectionMark(holds truth, to markBits) {
	switch w.hasConnection() {
	case yes:
		w.replaceMark(&w.flow.connection, holds, to)
	case maybe:
		w.flow.connection = markBits{}
	}
}

func (w *follower) replaceMark(m *markBits, holds truth, to markBits) {
	if holds != yes || w.loose {
		to = to.or(*m)
	}
	*m = to
}

// hasConnection says whether connection tracking knows the packet at a base chain.
func (w *follower) hasConnection() truth {
	switch now := w.flow.state(w.base); {
	case now == 0, w.flow.tracked == zoned && w.base.beforeTracking(): // what is there is not yet its own
		return maybe
	default:
		return truthOf(now == stateNew)
	}
}

// markTarget is iptables' targets MARK, struct xt_mark_tginfo2, and CONNMARK, struct
// xt_connmark_tginfo2, and those that give a mark that is not known.
func (ev *evaluation) markTarget(e *expr.Target) {
	var words [4]uint32
	info, ok := e.Info.(*xt.Unknown)
	for i := range words {
		if ok && len(*info) >= 4*i+4 {
			words[i] = binary.NativeEndian.Uint32((*info)[4*i:])
		}
	}
	const set, save, restore = 0, 1, 2
	m, shifts, mode := ev.flow.marks, byte(0), byte(0xff)
	switch {
	case ok && e.Rev == 1 && len(*info) > 12:
		mode = (*info)[12]
	case ok && e.Rev == 2 && len(*info) > 14: // which way and how far the mark is shifted come first
		shifts, mode = (*info)[13], (*info)[14]
	}
	switch {
	case !ok || shifts != 0:
		ev.forgetMarks(ev.holds)
	case e.Name == "MARK" && e.Rev == 2:
		ev.setMark(ev.holds, m.packet.only(^words[1]).xor(knownMark(words[0])))
	case e.Name == "CONNMARK" && mode == set:
		ev.setConnectionMark(ev.holds, m.connection.only(^words[1]).xor(knownMark(words[0])))
	case e.Name == "CONNMARK" && mode == save:
		ev.saveMark(ev.holds, words[1], words[2])
	case e.Name == "CONNMARK" && mode == restore:
		ev.restoreMark(ev.holds, words[1], words[2])
	default:
		ev.forgetMarks(ev.holds)
	}
}

// forgetMarks is for a rule after which no mark is known any more.
func (w *follower) forgetMarks(holds truth) {
	w.setMark(holds, markBits{})
	w.setConnectionMark(holds, markBits{})
}

func (w *follower) saveMark(holds truth, ofConnection, ofPacket uint32) {
	m := w.flow.marks
	w.setConnectionMark(holds, m.connection.only(^ofConnection).xor(m.packet.only(ofPacket)))
}

func (w *follower) restoreMark(holds truth, ofConnection, ofPacket uint32) {
	m, there := w.flow.marks, w.hasConnection()
	if there != no {
		w.setMark(holds.and(there), m.packet.only(^ofPacket).xor(m.connection.only(ofConnection)))
	}
}

// legacyMark is a target of the same in the words of iptables-save.
func (w *follower) legacyMark(holds truth, name string, words []string) {
	mask := map[string]uint32{"--nfmask": 0xffffffff, "--ctmask": 0xffffffff}
	does, bits, of := "", uint32(0), uint32(0)
	for i := 0; i < len(words); i++ {
		argument := ""
		if i+1 < len(words) {
			argument = words[i+1]
		}
		ok := true
		switch words[i] {
		case "--set-xmark":
			does = words[i]
			bits, of, ok = maskedNumber(argument)
			i++
		case "--nfmask", "--ctmask":
			mask[words[i]], _, ok = maskedNumber(argument)
			i++
		case "--save-mark", "--restore-mark":
			does = words[i]
		default:
			ok = false
		}
		if !ok {
			does = ""
			break
		}
	}
	m := w.flow.marks
	switch name + does {
	case "MARK--set-xmark":
		w.setMark(holds, m.packet.only(^of).xor(knownMark(bits)))
	case "CONNMARK--set-xmark":
		w.setConnectionMark(holds, m.connection.only(^of).xor(knownMark(bits)))
	case "CONNMARK--save-mark":
		w.saveMark(holds, mask["--ctmask"], mask["--nfmask"])
	case "CONNMARK--restore-mark":
		w.restoreMark(holds, mask["--ctmask"], mask["--nfmask"])
	default:
		w.forgetMarks(holds)
	}
}

// maskedNumber reads a number and, behind a slash, its mask.
func maskedNumber(text string) (n, mask uint32, ok bool) {
	number, after, masked := strings.Cut(text, "/")
	if !masked {
		after = "0xffffffff"
	}
	a, errA := strconv.ParseUint(number, 0, 32)
	b, errB := strconv.ParseUint(after, 0, 32)
	return uint32(a), uint32(b), errA == nil && errB == nil
}

// hasMark is iptables' matches mark and connmark, struct xt_mark_mtinfo1.
func (ev *evaluation) hasMark(name string, info []byte) truth {
	if len(info) < 9 {
		return maybe
	}
	return ev.isMarked(name, binary.NativeEndian.Uint32(info), binary.NativeEndian.Uint32(info[4:]), info[8] != 0)
}

// isMarked says it of what has a connection, where the match asks for its mark.
func (w *follower) isMarked(module string, bits, mask uint32, inverted bool) truth {
	if module == "connmark" {
		return w.flow.connection.is(bits, mask).notIf(inverted).and(w.hasConnection())
	}
	return w.flow.packet.is(bits, mask).notIf(inverted)
}
