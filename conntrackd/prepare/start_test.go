package prepare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
)

// refreshHost is a host whose service manager runs the refresh.
type refreshHost struct {
	link    string // what has it start at boot
	running bool
}

func (h *refreshHost) atBoot() bool {
	_, err := os.Lstat(h.link)
	return err == nil
}

func (h *refreshHost) run(_ context.Context, name string, args ...string) error {
	words := append([]string{name}, args...)
	for word, do := range map[string]func() error{
		"enable": func() error { return os.WriteFile(h.link, nil, 0o600) }, "add": func() error { return os.WriteFile(h.link, nil, 0o600) },
		"disable": func() error { return os.Remove(h.link) }, "delete": func() error { return os.Remove(h.link) },
		"--now": func() error { h.running = true; return nil }, "start": func() error { h.running = true; return nil },
		"stop": func() error { h.running = false; return nil },
	} {
		if slices.Contains(words, word) {
			if err := do(); err != nil {
				return fmt.Errorf("%s: %w", strings.Join(words, " "), err)
			}
		}
	}
	return nil
}

func (h *refreshHost) Running(string) (bool, error)                           { return h.running, nil }
func (h *refreshHost) Start(context.Context, string, string, ...string) error { return nil }
func (h *refreshHost) Stop(_ context.Context, _ string) error                 { h.running = false; return nil }

// A refresh that is started and rolled back stands as before, and a record without how it
// stood has it stopped and disabled.
func TestStartOfRefreshIsUndone(t *testing.T) {
	for manager, path := range map[string]string{
		managerSystemd: "/etc/systemd/system/multi-user.target.wants/" + refreshService + ".service",
		managerOpenRC:  "/etc/runlevels/default/" + refreshService,
	} {
		for _, before := range []standing{{}, {running: true}, {atBoot: true}} {
			for _, recorded := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%+v/recorded=%v", manager, before, recorded), func(t *testing.T) {
					p := NewPreparer(service.Unmanaged{}, "/state", Refresh{})
					p.root = t.TempDir()
					h := &refreshHost{link: p.path(path), running: before.running}
					p.run, p.process = h.run, h
					if err := errors.Join(os.MkdirAll(filepath.Dir(h.link), 0o755), os.MkdirAll(p.path("/etc/init.d"), 0o755), os.WriteFile(p.path(refreshScript), nil, 0o755)); err != nil {
						t.Fatal(err)
					}
					if before.atBoot {
						if err := os.WriteFile(h.link, nil, 0o600); err != nil {
							t.Fatal(err)
						}
					}
					changer := startChanger{p}
					c := hostfile.Change{Kind: changeStart, Path: refreshService, To: manager}
					was, err := changer.Look(c)
					if err != nil {
						t.Fatal(err)
					}
					if err := changer.Make(t.Context(), c); err != nil || !h.running || !h.atBoot() {
						t.Fatalf("started: running %v, at boot %v (%v)", h.running, h.atBoot(), err)
					}
					want := before
					if !recorded {
						was, want = hostfile.Before{}, standing{}
					}
					err = changer.Undo(t.Context(), hostfile.JournalEntry{Kind: c.Kind, Path: c.Path, To: c.To, Before: was})
					if got := (standing{h.running, h.atBoot()}); err != nil || got != want {
						t.Errorf("undone: %+v, want %+v (%v)", got, want, err)
					}
				})
			}
		}
	}
}
