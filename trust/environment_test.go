package trust_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"connsync/trust"
)

// No library waits for a time zone that is a pipe, or makes a file because of a variable.
func TestSettleEnvironment(t *testing.T) {
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "file")
	if err := errors.Join(unix.Mkfifo(pipe, 0o600), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for zone, stays := range map[string]bool{
		"": true, "UTC": true, "Europe/Paris": true, "CET-1CEST": true, file: true, ":" + file: true,
		pipe: false, ":" + pipe: false, "/dev/zero": false, "../../.." + pipe: false, "Europe/../../../.." + pipe: false, dir + "/none": false,
	} {
		t.Setenv("TZ", zone)
		t.Setenv("TEA_TRACE", filepath.Join(dir, "trace"))
		trust.SettleEnvironment()
		if got, set := os.LookupEnv("TZ"); set != stays || set && got != zone {
			t.Errorf("%q is %q now, set %t", zone, got, set)
		}
		if _, set := os.LookupEnv("TEA_TRACE"); set {
			t.Error("Bubble Tea would make its log")
		}
	}
}
