package packaging

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// With BusyBox's programs the setup runs too, in a session of its own, and init
// waits for it.
func TestSetupConsoleWithBusyBox(t *testing.T) {
	script, err := os.ReadFile("inittab/setup-console")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"sh", "setsid", "stty", "sleep", "cut"} {
		if err := os.Symlink("/bin/busybox", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	setup := filepath.Join(dir, "connsync")
	said := filepath.Join(dir, "said")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(setup, "#!"+filepath.Join(dir, "sh")+"\nsleep 1\n[ \"$(cut -d ' ' -f 6 /proc/$$/stat)\" = $$ ] && alone=alone\necho \"$alone $*\" >"+said+"\nexit 7\n")
	text := strings.NewReplacer("/usr/sbin/connsync", setup, "/var/lib/connsync/setup", filepath.Join(dir, "none")).Replace(string(script))
	write(filepath.Join(dir, "setup-console"), text)

	master, console, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer console.Close()
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "sh"), filepath.Join(dir, "setup-console"))
	cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin", "CONSOLE=" + console.Name()}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("the script ended with %v, want the setup's status 7\n%s", err, out)
	}
	got, err := os.ReadFile(said)
	if want := "alone setup --if-needed --console --patience 5m\n"; err != nil || string(got) != want {
		t.Errorf("the setup was run as %q (%v), want %q", got, err, want)
	}
}
