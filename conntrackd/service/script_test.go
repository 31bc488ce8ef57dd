package service

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"connsync/conntrackd/conntracktest"
	"connsync/conntrackd/control"
)

// A daemon that a supervisor starts again is one that did not stay up, and no
// second one is started beside it to say why.
func TestScriptTellsADaemonThatIsStartedAgain(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	// A shell by the daemon's name, for which -C is an option and its file a script.
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(shell)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("conntrackd"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	// It starts no program of its own, since a fork of it would pass for another
	// daemon: it waits for the other end of a pipe, the second time for ever.
	for _, name := range []string{"first", "second"} {
		if err := syscall.Mkfifo(at(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	conf := "if [ -e $DIR/once ]; then read line <$DIR/second; fi\necho $$ >$DIR/once\nread line <$DIR/first\n"
	if err := os.WriteFile(at("conntrackd.conf"), []byte(strings.ReplaceAll(conf, "$DIR", dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	explain := "#!/bin/sh\n: >" + at("explained") + "\necho '[ERROR] lock file exists'\nexit 1\n"
	if err := os.WriteFile(at("explain"), []byte(explain), 0o755); err != nil {
		t.Fatal(err)
	}
	supervisor := exec.Command("sh", "-c", `while :; do "$0" -C "$1"; done`, at("conntrackd"), at("conntrackd.conf"))
	supervisor.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s := newScript(&Direct{Binary: at("explain"), Config: at("conntrackd.conf"), LockFile: at("lock"), LogFile: at("log"), SocketPath: at("ctl")}, "script")
	s.Settle = 4 * time.Second
	s.run = func(context.Context, ...string) ([]byte, error) { return nil, supervisor.Start() }
	t.Cleanup(func() {
		if supervisor.Process != nil {
			_ = syscall.Kill(-supervisor.Process.Pid, syscall.SIGKILL)
			_ = supervisor.Wait()
		}
	})
	asked := make(chan struct{})
	answered := sync.OnceFunc(func() { close(asked) })
	conntracktest.ServeControl(t, at("ctl"), func(control.Request) []byte { answered(); return nil })
	go func() { // ends the first, once it serves and its end is awaited
		end, err := os.OpenFile(at("first"), os.O_WRONLY, 0)
		if err != nil {
			return
		}
		defer end.Close()
		<-asked
		for !awaited(at("once")) && t.Context().Err() == nil {
			time.Sleep(20 * time.Millisecond)
		}
	}()
	err = s.start(t.Context(), "start")
	if !errors.Is(err, ErrUnstable) || !strings.Contains(err.Error(), "it ended and was started again") {
		t.Error(err)
	}
	if _, err := os.Stat(at("explained")); err == nil {
		t.Error("a second daemon was started beside the first")
	}
}

// awaited says whether this process awaits the end of the one whose PID is in a file: it has
// a pidfd of it then.
func awaited(file string) bool {
	pid, _ := os.ReadFile(file)
	descriptors, _ := filepath.Glob("/proc/self/fdinfo/*")
	return slices.ContainsFunc(descriptors, func(path string) bool {
		info, _ := os.ReadFile(path)
		return len(pid) > 0 && strings.Contains(string(info), "\nPid:\t"+string(pid))
	})
}
