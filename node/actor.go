package node

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/term"

	"connsync/conntrackd/apply"
)

// noLogin is the login UID of a process that no login has led to.
const noLogin = 1<<32 - 1

// actor is who runs this program. The kernel's login UID stays the same through
// su and sudo; where it is not kept, sudo's word counts, then the process's own
// user.
func actor() apply.Actor {
	return apply.Actor{User: userName(os.Getenv("SUDO_USER")), Terminal: terminalName()}
}

func userName(sudo string) string {
	content, err := os.ReadFile("/proc/self/loginuid")
	uid, parseErr := strconv.ParseUint(strings.TrimSpace(string(content)), 10, 32)
	switch {
	case err == nil && parseErr == nil && uid != noLogin:
		return nameOf(uid)
	case sudo != "":
		return sudo
	}
	return nameOf(uint64(os.Getuid()))
}

func nameOf(uid uint64) string {
	id := strconv.FormatUint(uid, 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "uid " + id
}

// terminalName is the terminal that this program was started from, blank
// where there is none.
func terminalName() string {
	for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if !term.IsTerminal(f.Fd()) {
			continue
		}
		if name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd())); err == nil && strings.HasPrefix(name, "/dev/") {
			return name
		}
	}
	return controllingTerminal()
}

// controllingTerminal is for a program all of whose streams are redirected.
func controllingTerminal() string {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return ""
	}
	// The name in parentheses may hold anything; tty_nr is the fifth after it.
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 5 {
		return ""
	}
	number, err := strconv.ParseUint(fields[4], 10, 32)
	if err != nil || number == 0 {
		return ""
	}
	major, minor := number>>8&0xfff, number&0xff|number>>12&0xfff00
	if major >= 136 && major <= 143 { // UNIX98 pseudo-terminals, Documentation/admin-guide/devices.txt
		return fmt.Sprintf("/dev/pts/%d", (major-136)<<20|minor)
	}
	event, err := os.ReadFile(fmt.Sprintf("/sys/dev/char/%d:%d/uevent", major, minor))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(event)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "DEVNAME="); ok {
			return "/dev/" + name
		}
	}
	return ""
}
