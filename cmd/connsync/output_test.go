package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"connsync/conntrackd"
	"connsync/conntrackd/health"
	"connsync/conntrackd/hostfile/hostfiletest"
	"connsync/node"
	"connsync/tui/text"
)

// A link that another user owns or could exchange may lead to any file: --output
// follows none on the way, unless it leads to a file of his own.
func TestOutputFollowsNoForeignLink(t *testing.T) {
	const other = 65534
	for name, tt := range map[string]struct {
		prepare func(at func(string) string) error // victim is root's
		path    string
		link    string // the one that is refused; blank for none
		written string // the file that has the new content
	}{
		"own link in a sticky directory": {func(at func(string) string) error {
			return errors.Join(os.Chmod(at(""), 0o777|os.ModeSticky), os.Symlink(at("victim"), at("link")))
		}, "link", "", "victim"},
		"his in a sticky directory": {func(at func(string) string) error {
			return errors.Join(os.Chmod(at(""), 0o777|os.ModeSticky), os.Symlink(at("victim"), at("link")), os.Lchown(at("link"), other, other))
		}, "link", "link", ""},
		"his in his directory": {func(at func(string) string) error {
			return errors.Join(os.Symlink(at("victim"), at("his/link")), os.Lchown(at("his/link"), other, other))
		}, "his/link", "his/link", ""},
		"root's in his directory": {func(at func(string) string) error { return os.Symlink(at("victim"), at("his/link")) },
			"his/link", "his/link", ""},
		"root's to his": {func(at func(string) string) error {
			return errors.Join(os.Symlink(at("victim"), at("his/link")), os.Lchown(at("his/link"), other, other), os.Symlink("his/link", at("own")))
		}, "own", "his/link", ""},
		"his as a parent directory": {func(at func(string) string) error {
			return errors.Join(os.Symlink("..", at("his/up")), os.Lchown(at("his/up"), other, other))
		}, "his/up/victim", "his/up", ""},
		"his to no file": {func(at func(string) string) error {
			return errors.Join(os.Symlink(at("new"), at("his/link")), os.Lchown(at("his/link"), other, other))
		}, "his/link", "his/link", ""},
		"his to his own file": {func(at func(string) string) error {
			return errors.Join(os.WriteFile(at("his/file"), nil, 0o644), os.Lchown(at("his/file"), other, other),
				os.Symlink("file", at("his/link")), os.Lchown(at("his/link"), other, other))
		}, "his/link", "", "his/file"},
		"a plain file in his directory": {func(at func(string) string) error { return nil }, "his/file", "", "his/file"},
		"root's links in a row": {func(at func(string) string) error {
			return errors.Join(os.Symlink(".", at("here")), os.Symlink("here/victim", at("link")))
		}, "here/link", "", "victim"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			err := errors.Join(os.WriteFile(at("victim"), []byte("old\n"), 0o600), os.Mkdir(at("his"), 0o755), os.Lchown(at("his"), other, other), tt.prepare(at))
			if err != nil {
				t.Fatal(err)
			}
			err = replaceFile(at(tt.path), []byte("new\n"))
			if want := at(tt.link) + " is a symbolic link that user 65534 can change"; (err != nil) != (tt.link != "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("it says %v", err)
			}
			for _, name := range []string{"victim", "new", "his/file"} {
				content, _ := os.ReadFile(at(name))
				if (string(content) == "new\n") != (name == tt.written) {
					t.Errorf("%s is %q", name, content)
				}
			}
			if info, err := os.Stat(at("victim")); err != nil || info.Mode() != 0o600 {
				t.Errorf("the mode is %v (%v)", info.Mode(), err)
			}
		})
	}
}

// A user who exchanges a directory of his and a link at each moment has nothing written
// where that link leads.
func TestOutputOutlivesTheExchangeOfItsDirectory(t *testing.T) {
	const other = 65534
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.Mkdir(at("roots"), 0o700), os.Mkdir(at("his"), 0o755), os.Mkdir(at("his/dir"), 0o755), os.Symlink(at("roots"), at("his/link")),
		os.Lchown(at("his"), other, other), os.Lchown(at("his/dir"), other, other), os.Lchown(at("his/link"), other, other)); err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, at("his/dir"), unix.AT_FDCWD, at("his/link"), unix.RENAME_EXCHANGE); err != nil {
				ended <- err
				return
			}
		}
	}()
	written, refused := 0, 0
	for limit := time.Now().Add(time.Minute); written < 50 || refused < 50; {
		if err := replaceFile(at("his/dir/file"), []byte("new\n")); err != nil {
			refused++
		} else {
			written++
		}
		if time.Now().After(limit) {
			t.Errorf("%d were written and %d refused", written, refused)
			break
		}
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if list := hostfiletest.Listing(t, at("roots")); len(list) > 0 {
		t.Errorf("it wrote %q for him", list)
	}
}

// A signal is told in words, with its status; another error stays.
func TestInterrupted(t *testing.T) {
	cut := fmt.Errorf("list addresses: %w", context.Canceled)
	for _, tt := range []struct {
		command string // with its flag, if any
		err     error
		want    string
		status  int
	}{
		{"show", cut, "interrupted; nothing was changed", exitRefused},
		{"coverage", &exitError{exitUnknown, cut}, "interrupted; nothing was changed", exitUnknown},
		{"apply", cut, "interrupted; nothing was changed", exitRefused},
		{"unprepare", cut, "interrupted", exitRefused},
		{"refresh", cut, "interrupted; nothing was changed", exitRefused},
		{"refresh stop", cut, "interrupted", exitRefused},
		{"refresh background", cut, "interrupted", exitRefused},
		{"show", &exitError{exitUsage, errors.New("no")}, "no", exitUsage},
	} {
		cmd := &cobra.Command{Use: tt.command}
		if _, flag, ok := strings.Cut(tt.command, " "); ok {
			cmd.Flags().Bool(flag, false, "")
			_ = cmd.Flags().Set(flag, "true")
		}
		err := interrupted(cmd, tt.err)
		var exit *exitError
		if !errors.As(err, &exit) || exit.status != tt.status || err.Error() != tt.want {
			t.Errorf("%s: %v", tt.command, err)
		}
	}
	if err := interrupted(&cobra.Command{Use: "show"}, nil); err != nil {
		t.Error(err)
	}
}

// Nothing of a cause reaches the terminal but as an escape, line by line too.
func TestWatchPrintsNoControlCharacters(t *testing.T) {
	var b bytes.Buffer
	c := &cli{Node: &node.Node{}, table: conntrackd.NewSettingTable()}
	now := health.Health{Verdict: health.VerdictUnknown, Cause: "conntrackd said \u009b2J\u202e <&>"}
	for _, asJSON := range []bool{true, false} {
		b.Reset()
		if err := c.printWatched(&b, health.Health{}, now, conntrackd.Settings{}, text.WatchLine(health.Health{}, now), asJSON); err != nil {
			t.Fatal(err)
		}
		line, rest, ended := strings.Cut(b.String(), "\n")
		if strings.ContainsAny(line, "\u009b\u202e") || !strings.Contains(line, "<&>") || rest != "" || !ended {
			t.Errorf("it printed %q", b.String())
		}
	}
}

// What a save changes is printed whole, but for what nobody reads; the rest of a diff is cut.
func TestChangedLinesArePrintedWhole(t *testing.T) {
	list := "IPv4_address { " + strings.Repeat("192.168.100.100 ", 60) + "}"
	for line, want := range map[string]string{
		"+\t" + list: "+    " + list, "-" + list: "-" + list, " " + list: (" " + list)[:text.CleanMax], "": "",
		"+" + strings.Repeat("x", 1<<20): "+" + strings.Repeat("x", 2047) + "...", " " + strings.Repeat("x", 1<<20): " " + strings.Repeat("x", text.CleanMax-1),
	} {
		var b bytes.Buffer
		if printLines(&b, line+"\n"); b.String() != want+"\n" {
			t.Errorf("it printed %.600q", b.String())
		}
	}
}

// An interrupt that came before a save is no change in progress.
func TestInterruptBeforeASaveLeavesNothing(t *testing.T) {
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	var told strings.Builder
	c := &cli{err: &told}
	if c.tellInterrupt(interrupted)(); told.Len() > 0 {
		t.Errorf("told %q", told.String())
	}
}
