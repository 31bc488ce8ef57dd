package conntrackd

import (
	"context"
	"strings"
)

// unitEffect is what systemd does around the daemon, with all drop-ins.
type unitEffect struct {
	usable    bool // loaded, not masked
	reload    bool // systemd has not read what is on the disk
	dropIns   []string
	pre, post []string // command lines before and after the start
	restart   string   // Restart=
}

// effect reads the unit's setup.
func (s *Systemd) effect(ctx context.Context) (unitEffect, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Wait)
	defer cancel()
	conn, u, err := s.open(ctx, "")
	if err != nil {
		return unitEffect{}, err
	}
	defer conn.Close()
	if u.load != "loaded" {
		return unitEffect{}, nil
	}
	all, err := conn.GetAllPropertiesContext(ctx, s.Unit)
	if err != nil {
		return unitEffect{}, s.refused(ctx, "", err)
	}
	return unitEffect{
		usable: true, reload: property[bool](all, "NeedDaemonReload"), dropIns: property[[]string](all, "DropInPaths"),
		pre: commandLines(all, "ExecStartPre"), post: commandLines(all, "ExecStartPost"), restart: property[string](all, "Restart"),
	}, nil
}

// commandLines reads a property of type a(sasbttttuii): the second field of
// each command is its words.
func commandLines(all map[string]any, name string) []string {
	var lines []string
	for _, command := range property[[][]any](all, name) {
		if len(command) < 2 {
			continue
		}
		if words, ok := command[1].([]string); ok {
			lines = append(lines, strings.Join(words, " "))
		}
	}
	return lines
}

// reload has systemd read its units again.
func (s *Systemd) reload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.Wait)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return s.refused(ctx, "", err)
	}
	defer conn.Close()
	if err := conn.ReloadContext(ctx); err != nil {
		return s.refused(ctx, "", err)
	}
	return nil
}
