package trust_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"connsync/trust"
)

// startsEnv has this test's program start another one, and say what that one inherits.
const startsEnv = "CONNSYNC_TEST_STARTS"

// What this process's caller has left open, and its limits, are not those of a daemon that
// is started; its own limits are as before.
func TestStartInheritsNothing(t *testing.T) {
	if os.Getenv(startsEnv) != "" {
		trust.CloseInChildren()
		own, _ := os.ReadFile("/proc/self/limits")
		cmd := trust.Command(t.Context(), "sh", "-c", "cat /proc/self/limits; ls -l /proc/self/fd")
		cmd.Stdout = os.Stdout
		if err := trust.Run(cmd); err != nil {
			t.Fatal(err)
		}
		after, _ := os.ReadFile("/proc/self/limits")
		fmt.Printf("OWN\n%sAFTER\n%s", own, after)
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	may := exec.Command("sh", "-c", "ulimit -t 7000; ulimit -t unlimited").Run() == nil // with CAP_SYS_RESOURCE
	for kind, raised := range map[string]bool{"-S": true, "-H": may} {
		lock := t.TempDir() + "/caller.lock"
		sh := `exec 9>"$1"; ulimit -St 7000; ulimit -Sv 80000000; ulimit -Sn 512
			if [ $2 = -H ]; then ulimit -Ht 7000; ulimit -Hv 80000000; ulimit -Hn 512; fi
			exec "$0" -test.run='^TestStartInheritsNothing$' -test.v`
		cmd := exec.Command("sh", "-c", sh, program, lock, kind)
		cmd.Env = append(os.Environ(), startsEnv+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		child, rest, _ := strings.Cut(string(out), "OWN\n")
		own, after, found := strings.Cut(rest, "AFTER\n")
		if !found || strings.Contains(child, lock) {
			t.Errorf("it has the caller's file open:\n%s", out)
		}
		limits := []string{`Max cpu time +unlimited `, `Max address space +unlimited `, `Max open files +1024 `}
		if !raised {
			limits = []string{`Max cpu time +7000 +7000 `, `Max address space +81920000000 +81920000000 `, `Max open files +512 +512 `}
		}
		for _, want := range limits {
			if !regexp.MustCompile(want).MatchString(child) {
				t.Errorf("%s: its limits have no %q:\n%s", kind, want, child)
			}
		}
		for _, want := range []string{`Max cpu time +7000 `, `Max address space +81920000000 `} {
			if p := regexp.MustCompile(want); !p.MatchString(own) || !p.MatchString(after) {
				t.Errorf("%s: this process's own limits have no %q:\n%s\n%s", kind, want, own, after)
			}
		}
	}
}
