package service

import (
	"context"
	"math"
	"strings"
	"time"
)

// UnitSetup is what systemd does around the daemon, with all drop-ins.
type UnitSetup struct {
	Usable              bool     // loaded, not masked
	NeedsReload         bool     // systemd has not read what is on the disk
	DropIns             []string // their paths
	StartPre, StartPost []string // command lines before and after the start
	Restart             string   // the value of Restart=
	RestartPause        time.Duration
	StartLimit          int           // so many starts within StartLimitInterval are the last ones
	StartLimitInterval  time.Duration // zero is no limit
	NoRestartAfter      []int32       // the signals of RestartPreventExitStatus=
	Start               []string      // the words of its command
	Network             string        // of a NetworkNamespacePath=; blank is the host's
	PrivateNetwork      bool          // it has a network namespace of its own
	Directories         Directories
}

// Setup reads the unit's setup. That of a unit that is not Usable is not known.
func (s *Systemd) Setup(ctx context.Context) (UnitSetup, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Wait)
	defer cancel()
	conn, u, err := s.open(ctx, "")
	if err != nil {
		return UnitSetup{}, err
	}
	defer conn.Close()
	if u.load != "loaded" {
		return UnitSetup{}, nil
	}
	all, err := conn.GetAllPropertiesContext(ctx, s.Unit)
	if err != nil {
		return UnitSetup{}, s.refused(ctx, "", err)
	}
	return UnitSetup{
		Usable: true, NeedsReload: property[bool](all, "NeedDaemonReload"), DropIns: property[[]string](all, "DropInPaths"),
		StartPre: commandLines(all, "ExecStartPre"), StartPost: commandLines(all, "ExecStartPost"), Restart: property[string](all, "Restart"),
		RestartPause: microseconds(all, "RestartUSec"), StartLimit: int(property[uint32](all, "StartLimitBurst")), StartLimitInterval: microseconds(all, "StartLimitIntervalUSec"),
		NoRestartAfter: preventingSignals(all),
		Start:          commandWords(all, "ExecStart"), Network: property[string](all, "NetworkNamespacePath"), PrivateNetwork: property[bool](all, "PrivateNetwork"), Directories: unitDirectories(all),
	}, nil
}

// microseconds reads a time span; one without an end is the longest there is.
func microseconds(all map[string]any, name string) time.Duration {
	return time.Duration(min(property[uint64](all, name), math.MaxInt64/1000)) * time.Microsecond
}

// preventingSignals reads a property of type (aiai): exit statuses and signals.
func preventingSignals(all map[string]any) []int32 {
	pair := property[[]any](all, "RestartPreventExitStatus")
	if len(pair) != 2 {
		return nil
	}
	signals, _ := pair[1].([]int32)
	return signals
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

// commandWords are the words of the first command of such a property.
func commandWords(all map[string]any, name string) []string {
	for _, command := range property[[][]any](all, name) {
		if len(command) > 1 {
			words, _ := command[1].([]string)
			return words
		}
	}
	return nil
}

// Reload has systemd read its units again.
func (s *Systemd) Reload(ctx context.Context) error {
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
