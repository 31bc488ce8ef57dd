package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// applicationFile states what the appliance is, in one word. Without it the
// host is an ordinary one.
const applicationFile = "/etc/connsync/application"

// syncApplication is the one that balances links and so holds connections.
const syncApplication = "LLB"

// applicationMax bounds what is read of the file; the longest word has four
// letters.
const applicationMax = 4096

// applications are the words for what an appliance is.
func applications() []string { return []string{"LLB", "WAF", "ADC", "GSLB"} }

// application is what this appliance is.
type application struct {
	word string // LLB, WAF, ADC or GSLB; blank where nothing states it
	from string // what states it: the flag or the file
}

// readApplication returns what is stated: by the flag, else by the file, else
// by nothing. An error means that it is not known and names what to do.
func readApplication(flag, file string) (application, error) {
	if flag != "" {
		return parseApplication(flag, "--application", "")
	}
	content, err := readShort(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return application{}, nil
	case err != nil:
		return application{from: file}, fmt.Errorf("what this appliance is cannot be read: %w; %s has to be a file with one word, readable for this user", err, file)
	}
	return parseApplication(string(content), file, fmt.Sprintf("; mend it with: echo %s >%s, or remove it where this is no appliance", syncApplication, file))
}

func parseApplication(text, from, remedy string) (application, error) {
	word := strings.ToUpper(strings.TrimSpace(text))
	if slices.Contains(applications(), word) {
		return application{word, from}, nil
	}
	said := fmt.Sprintf("says %+q", shortened(strings.TrimSpace(text)))
	if word == "" {
		said = "is empty"
	}
	return application{from: from}, fmt.Errorf("%s %s: one of %s is meant%s", from, said, strings.Join(applications(), ", "), remedy)
}

// shortened is the beginning of a text that has no end in sight.
func shortened(text string) string {
	const enough = 40
	if len(text) <= enough {
		return text
	}
	return text[:enough] + "..."
}

// readShort reads a small file, and waits for nothing that is no file.
func readShort(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notRegular(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, applicationMax))
}

// reason says why connection sync does not exist on this appliance; blank where
// it does.
func (a application) reason() string {
	if a.word == "" || a.word == syncApplication {
		return ""
	}
	return fmt.Sprintf("connection sync is for link load balancers (%s); %s", syncApplication, stated(a.word, a.from))
}

// takeBack is reason for whoever may have given the setup a wrong answer.
func (a application) takeBack() string {
	if a.reason() == "" || a.from != applicationFile {
		return a.reason()
	}
	return a.reason() + "; if it is not, remove that file and run connsync setup again"
}

// appliance is what this host is, by flag or file.
func (o options) appliance() (application, error) {
	return readApplication(o.application, applicationFile)
}

// gate is the reason why connection sync does not exist here, as an error that
// refuses; nil where it does. What this appliance is may not be known: that
// refuses too.
func (n *node) gate() error {
	a, err := n.appliance()
	switch {
	case err != nil:
		return err
	case a.reason() != "":
		return fmt.Errorf("%s; nothing is changed", a.reason())
	}
	return nil
}

// stated says what this appliance is, and where that is stated.
func stated(word, from string) string {
	return fmt.Sprintf("this appliance is %s, says %s", word, from)
}

// on says that this host syncs, now or from the next boot on.
func (s saved) on() bool {
	return s.none == "" && s.unseen == nil && (s.state.Active || s.state.Starting || s.state.Enabled)
}

// leftover is what to do about a sync that goes on where it should not exist.
const (
	leftover     = stillEnabled + "; connsync apply --disable turns it off"
	stillEnabled = "the sync is enabled all the same"
)

// outOfPlace says in one sentence that this host is no place for a sync, and
// whether there is one all the same; blank where it is.
func (n *node) outOfPlace(s saved) string {
	a, err := n.appliance()
	reason := a.reason()
	if err != nil {
		reason = err.Error()
	}
	if reason != "" && s.on() {
		reason += "; " + leftover
	}
	return reason
}

func notRegular(path string) error { return fmt.Errorf("%s is no regular file", path) }
