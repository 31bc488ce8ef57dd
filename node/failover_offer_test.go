package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connsync/netcheck/keepalived"
)

// What keepalived says of a file is told apart from that it says nothing.
func TestConfigIsTested(t *testing.T) {
	const complaint = "SECURITY VIOLATION - scripts are being executed but script_security not enabled.\n"
	for _, tt := range []struct {
		name, script string
		patience     time.Duration
		want         string // what the error says; blank for none
		refused      bool
		unsecured    bool
	}{
		{name: "accepted", script: "echo a warning", patience: time.Minute},
		{name: "refused", script: "echo \"$3: no\"; exit 5", patience: time.Minute, want: "keepalived.conf: no (exit status 5)", refused: true},
		{name: "no script security", script: "printf '" + complaint + "'; exit 6", patience: time.Minute, want: "script_security not enabled", unsecured: true},
		{name: "no script security, and more", script: "printf '" + complaint + "no\\n'; exit 6", patience: time.Minute, want: "no (exit status 6)", refused: true},
		{name: "no end", script: "exec sleep 100", patience: 100 * time.Millisecond, want: "keepalived --config-test did not end within 0.1 s (it may wait for name resolution)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer func(was time.Duration) { keepalivedPatience = was }(keepalivedPatience)
			keepalivedPatience = tt.patience
			program := filepath.Join(t.TempDir(), "keepalived")
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"+tt.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			err := testConfig(t.Context(), keepalived.Installation{Program: program}, "/etc/x.conf")
			if got := errors.As(err, new(*refusedError)); got != tt.refused {
				t.Errorf("refused: %v", got)
			}
			if got := errors.Is(err, errNoScriptSecurity); got != tt.unsecured {
				t.Errorf("no script security: %v", got)
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	if keepalivedPatience < 20*time.Second {
		t.Errorf("%v is too short for a host without an answering name server, whose name keepalived looks up for 10 s", keepalivedPatience)
	}
}
