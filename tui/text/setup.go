package text

import (
	"time"

	"connsync/plural"
	"connsync/shell"
)

// ApplicationFile is where a setup writes what the appliance is.
const ApplicationFile = "/etc/connsync/application"

// NothingSetUp is said of a setup that was left when it had written down that
// application; blank for none.
func NothingSetUp(application string, called shell.Program) string {
	but := ""
	if application != "" {
		but = "; only " + ApplicationFile + " was written (" + application + ")"
	}
	return "Nothing is set up" + but + ". " + WaysBack(called) + "."
}

// WaysBack says how to come back to a setup.
func WaysBack(called shell.Program) string {
	return "To continue later, run " + Clean(called.Command("setup"))
}

// BootGoesOn says what happens when nobody does anything.
func BootGoesOn(without string, patience time.Duration) string {
	return "Without " + without + " for " + patienceText(patience) + " the boot continues."
}

// patienceText is a span as people say it.
func patienceText(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		n := int(d / time.Minute)
		return plural.Of(n, "minute", "minutes")
	}
	n := int(d.Round(time.Second) / time.Second)
	return plural.Of(n, "second", "seconds")
}
