package node

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
)

// SetupEnd is how a first setup ended that is not offered again. It is the one
// word in the state directory's file setup; the unit that offers the setup looks
// whether there is such a file.
type SetupEnd string

// The ends that are kept. A setup that was left for later has none.
const (
	SetupDone       SetupEnd = "done"
	SetupDeclined   SetupEnd = "declined"
	SetupUnanswered SetupEnd = "unanswered" // nobody was there
)

// NeedsSetup says whether there is something to ask for that nobody has declined.
// Where the settings are complete it notes that, as [Node.NoteSetup] does.
func (n *Node) NeedsSetup(ctx context.Context) (bool, error) {
	a, err := n.Appliance()
	if err != nil || a.Reason() != "" {
		return false, err
	}
	said, err := hostfile.ReadOwn(n.setupFile(), 1024)
	if err == nil {
		return strings.TrimSpace(string(said)) == "", nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	saved, err := n.Load(ctx)
	if err != nil {
		return false, err
	}
	if saved.WhyNoSettings == "" && saved.Settings.Complete() {
		return false, n.NoteSetup(SetupDone)
	}
	return true, nil
}

// maxAnswers bounds the file of answers.
const maxAnswers = 16 << 10

func (n *Node) answersFile() string { return filepath.Join(n.StateDir, "setup-answers.json") }

// KeepSetupAnswers keeps what was answered in a setup that was left for later.
// Nothing is kept where every answer is as it was without one.
func (n *Node) KeepSetupAnswers(answers conntrackd.Values) error {
	t := conntrackd.NewSettingTable()
	given := conntrackd.Values{}
	for field, standard := range t.Values(t.Defaults()) {
		if v := answers[field]; v != "" && v != standard && field != conntrackd.FieldEnabled {
			given[field] = v
		}
	}
	if len(given) == 0 {
		return nil
	}
	if err := os.MkdirAll(n.StateDir, 0o700); err != nil {
		return hostfile.Explain(n.StateDir, err)
	}
	content, err := json.Marshal(given)
	if err != nil {
		return err
	}
	return n.keep(n.answersFile(), string(content)+"\n")
}

// SetupAnswers are those that KeepSetupAnswers has kept; nil for none, and where
// they cannot be read: they are asked for again.
func (n *Node) SetupAnswers() conntrackd.Values {
	content, err := hostfile.ReadOwn(n.answersFile(), maxAnswers)
	if err != nil {
		return nil
	}
	var answers, known conntrackd.Values
	if json.Unmarshal(content, &answers) != nil {
		return nil
	}
	for _, e := range conntrackd.NewSettingTable() {
		if v, ok := answers[e.Field]; ok && len(v) < maxAnswer {
			known = known.With(e.Field, v)
		}
	}
	return known
}

// maxAnswer bounds one answer: three spare links are the longest.
const maxAnswer = 512

func (n *Node) setupFile() string { return filepath.Join(n.StateDir, "setup") }

// NoteSetup keeps how the setup ended, so that it is not offered again.
func (n *Node) NoteSetup(how SetupEnd) error {
	if err := os.MkdirAll(n.StateDir, 0o700); err != nil {
		return hostfile.Explain(n.StateDir, err)
	}
	if err := n.discard(n.answersFile()); err != nil {
		return err
	}
	return n.keep(n.setupFile(), string(how)+"\n")
}

// WriteApplication writes what the appliance is into [ApplicationFile], whole or
// not at all; a blank word removes the file. The word is not checked.
func (n *Node) WriteApplication(word string) error {
	if word == "" {
		return n.discard(ApplicationFile)
	}
	if err := os.MkdirAll(filepath.Dir(ApplicationFile), 0o755); err != nil {
		return hostfile.Explain(filepath.Dir(ApplicationFile), err)
	}
	return n.keep(ApplicationFile, word+"\n")
}

// discard removes one of connsync's own small files, where it is there.
func (n *Node) discard(path string) error { return n.replace(path, nil) }

// keep makes text the whole content of one of connsync's own small files.
func (n *Node) keep(path, text string) error { return n.replace(path, []byte(text)) }

func (n *Node) replace(path string, content []byte) error {
	lock, err := hostfile.LockWriter(n.RuntimeDir)
	if err != nil {
		return err
	}
	defer lock.Close()
	before, err := hostfile.ReadOwn(path, conntrackd.MaxFileBytes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if before == nil && content == nil {
		return nil
	}
	return hostfile.Replace(path, before, content)
}
