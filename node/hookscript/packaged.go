package hookscript

import (
	"strings"

	"connsync/trust"
)

// maxScriptBytes is above any script that a person has written.
const maxScriptBytes = 1 << 20

// Read returns a script as a whole, or an error where it is no regular
// file or a larger one.
func Read(path string) (string, error) {
	content, err := trust.ReadFile(path, maxScriptBytes)
	return string(content), err
}

// Packaged says that a script is conntrack-tools' primary-backup.sh, be it edited.
func Packaged(content string) bool {
	return strings.Contains(content, "CONNTRACKD_BIN") && strings.Contains(content, "$CONNTRACKD_CONFIG -c")
}

// Names says that a script has all the words outside its comments, whatever it does.
func Names(content string, words ...string) bool {
	content = uncommented(content)
	for _, w := range words {
		if !strings.Contains(content, w) {
			return false
		}
	}
	return true
}

// uncommented is a shell script without the lines that are comments.
func uncommented(script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// PackagedFaults names what is wrong with conntrack-tools' primary-backup.sh, of which
// five faults are known; an operator may have mended some, and two of them do
// no harm where there is an external cache.
func PackagedFaults(content string, external bool) string {
	var found []string
	for _, f := range []struct {
		mark  string
		only  bool // with the states in the kernel
		words string
	}{
		{"$CONNTRACKD_CONFIG -t", true, "purges the peer's states from the kernel after PurgeTimeout, so that the next failover loses them"},
		{"$CONNTRACKD_CONFIG -c", true, "commits and flushes the caches without need"},
		{"$CONNTRACKD_CONFIG -d", false, "starts conntrackd outside its service, which then cannot start"},
		{"/var/lock/conntrack.lock", false, "looks for the wrong lock file"},
		{"$? -eq 1", false, "treats a failed step as done"},
	} {
		if strings.Contains(content, f.mark) && !(f.only && external) {
			found = append(found, f.words)
		}
	}
	if len(found) == 0 {
		return "does not check the result of its steps"
	}
	return strings.Join(found, "; ")
}
