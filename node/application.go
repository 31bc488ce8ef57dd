package node

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"connsync/conntrackd/hostfile"
	"connsync/shell"
)

// ApplicationFile states what the appliance is, in one word. Without it the
// host is an ordinary one.
const ApplicationFile = "/etc/connsync/application"

// syncApplication is the one that balances links and so holds connections.
const syncApplication = "LLB"

// applicationMax bounds the file; the longest word has four letters.
const applicationMax = 4096

// Applications are the words for what an appliance is.
func Applications() []string { return []string{"LLB", "WAF", "ADC", "GSLB"} }

// Application is what this appliance is. The zero value stands for a host without an application.
type Application struct {
	Word   string // LLB, WAF, ADC or GSLB; blank without an application file
	Source string // what states it: the flag or the file
}

// readApplication returns what is stated: by the flag, else by the file, else
// by nothing. An error means that it is not known and names what to do.
func readApplication(flag, file string) (Application, error) {
	if flag != "" {
		return ParseApplication(flag, "--application", "")
	}
	content, err := hostfile.ReadOwn(file, applicationMax)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Application{}, nil
	case err != nil:
		return Application{Source: file}, fmt.Errorf("what this appliance is cannot be read: %w; %s has to be a file with one word, readable for this user", err, file)
	}
	return ParseApplication(string(content), file, fmt.Sprintf("; correct it with: echo %s >%s, or remove the file if this is no appliance", syncApplication, file))
}

// ParseApplication reads the word for what an appliance is, in any case. from is
// what states it, for messages; remedy ends the message of a word that is none.
func ParseApplication(text, from, remedy string) (Application, error) {
	word := strings.ToUpper(strings.TrimSpace(text))
	if slices.Contains(Applications(), word) {
		return Application{word, from}, nil
	}
	said := fmt.Sprintf(": %+q is invalid", shortened(strings.TrimSpace(text)))
	if word == "" {
		said = " is empty"
	}
	return Application{Source: from}, fmt.Errorf("%s%s: it must be one of %s%s", from, said, strings.Join(Applications(), ", "), remedy)
}

// shortened is the beginning of a text that has no end in sight.
func shortened(text string) string {
	const enough = 40
	if len(text) <= enough {
		return text
	}
	return text[:enough] + "..."
}

// Reason says in a sentence why connection sync does not exist on this appliance; blank where
// it does.
func (a Application) Reason() string {
	if a.Word == "" || a.Word == syncApplication {
		return ""
	}
	return fmt.Sprintf("connection sync is for link load balancers (%s); %s", syncApplication, a.Stated())
}

// ReasonAndRemedy is [Application.Reason], with how to correct a wrong answer to
// the setup; blank as that is.
func (a Application) ReasonAndRemedy(called shell.Program) string {
	if a.Reason() == "" || a.Source != ApplicationFile {
		return a.Reason()
	}
	return a.Reason() + "; if it is not, remove that file and run " + called.Command("setup") + " again"
}

// Appliance is what this host is: by [Options.Application], else by
// [ApplicationFile], else none. An error means that it is not known.
func (o Options) Appliance() (Application, error) {
	return readApplication(o.Application, ApplicationFile)
}

// Gate is the reason why connection sync does not exist here, as an error that
// refuses; nil where it does. What this appliance is may not be known: that
// refuses too.
func (n *Node) Gate() error {
	a, err := n.Appliance()
	switch {
	case err != nil:
		return err
	case a.Reason() != "":
		return fmt.Errorf("%s; nothing is changed", a.Reason())
	}
	return nil
}

// Stated says what this appliance is, and where that is stated. Word must not be
// blank.
func (a Application) Stated() string {
	return fmt.Sprintf("this appliance is %s (%s)", a.Word, a.Source)
}

// SyncOn says that this host syncs, now or from the next boot on.
func (s Saved) SyncOn() bool {
	return s.WhyNoSettings == "" && s.StateErr == nil && (s.State.Active || s.State.Starting || s.State.Enabled)
}

const enabledAllTheSame = "the sync is enabled all the same"

// StillEnabled is said of a sync that goes on where it should not exist, with what
// to do about it.
func (o Options) StillEnabled() string {
	return enabledAllTheSame + "; " + o.Called.Command("apply", "--disable") + " turns it off"
}

// OutOfPlace says in one sentence that this host is no place for a sync, and
// whether there is one all the same; blank where it is.
func (n *Node) OutOfPlace(s Saved) string {
	a, err := n.Appliance()
	reason := a.Reason()
	if err != nil {
		reason = err.Error()
	}
	if reason != "" && s.SyncOn() {
		reason += "; " + n.StillEnabled()
	}
	return reason
}
