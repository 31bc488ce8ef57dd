package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"connsync/tui"
)

// applicationFile states what the appliance is, in one word. Without it the
// host is an ordinary one.
const applicationFile = "/etc/connsync/application"

// syncApplication is the one that balances links and so holds connections.
const syncApplication = "LLB"

// gate says why connection sync does not exist on this appliance; blank where
// it does. stated overrides what the file says.
func gate(stated, file string) (string, error) {
	application, from := stated, "--application"
	if application == "" {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		application, from = strings.TrimSpace(string(content)), file
	}
	switch strings.ToUpper(application) {
	case syncApplication:
		return "", nil
	case "WAF", "ADC", "GSLB":
		return fmt.Sprintf("connection sync is for link load balancers (LLB); this appliance is %s, says %s", strings.ToUpper(application), from), nil
	}
	return "", fmt.Errorf("%s says %q: one of LLB, WAF, ADC, GSLB is meant", from, tui.Clean(application))
}
