package trust

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Nobody who is root is told to become root.
func TestRefused(t *testing.T) {
	if got := refused(false, "connsync status"); got != "run it as root: sudo connsync status" {
		t.Error(got)
	}
	if got := refused(true, "connsync status"); strings.Contains(got, "sudo") || !strings.Contains(got, "capabilities") {
		t.Error(got)
	}
	for said, has := range map[string]bool{"open /root/x: %w": true, "only root may write to /x: %w": false, "lock: %w: run connsync as root": false} {
		if got := remedy(false, fmt.Errorf(said, unix.EACCES), "connsync", "show"); (got != "") != has {
			t.Errorf("%s: %q", said, got)
		}
	}
	if got := remedy(false, errors.New("no such file"), "connsync") + remedy(true, unix.EPERM, "connsync"); got != "" {
		t.Error(got)
	}
}
