// Command screenshots sets up a node of a pair from the form, on a terminal with
// colours, and writes what a person sees on the way into docs/pictures. "make
// screenshots" builds and runs it; it needs root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"connsync/lab"
	"connsync/lab/tty"
)

func main() {
	program := flag.String("connsync", "bin/connsync", "the connsync program to show")
	into := flag.String("into", "docs/pictures", "the directory of the pictures")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, *program, *into); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program, into string) (err error) {
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	pair, err := lab.NewPair(ctx, lab.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()
	if _, err := pair.B.Run(ctx, program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
		"--current-ip", pair.B.Sync.String(), "--peer-ip", pair.A.Sync.String()); err != nil {
		return fmt.Errorf("configure B: %w", err)
	}
	// The review shows where the program is.
	const installed = "/var/lib/connsync-bin/connsync"
	if _, err := pair.A.Run(ctx, "install", "-D", program, installed); err != nil {
		return err
	}
	for _, way := range []struct {
		width, height int
		background    string
		shows         func(*walk) error
	}{
		{80, 24, "", func(w *walk) error { return w.all(pair.B.Sync.String()) }},
		{132, 30, "", (*walk).wide},
		{80, 24, "rgb:ffff/ffff/ffff", (*walk).light},
	} {
		line := tty.Line{Width: way.width, Height: way.height, Environ: []string{"TERM=xterm-256color", "LC_ALL=C.UTF-8", "COLORTERM="}, Answers: true, Background: way.background}
		seat, err := tty.Open(exec.Command(installed), line, pair.A.Enter)
		if err != nil {
			return err
		}
		err = way.shows(&walk{seat: seat, into: into, columns: way.width, palette: paletteOf(way.background)})
		seat.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// walk is the way from an empty form to the status.
type walk struct {
	seat    *tty.Seat
	into    string
	columns int
	palette palette
	err     error
}

// patience is how long a screen may take; checks and restarts included.
const patience = time.Minute

const (
	enter = "\r"
	ctrlC = "\x03"
	ctrlU = "\x15"
)

func (w *walk) all(peer string) error {
	w.see("ctrl+c quit")
	w.types(" \t" + enter)
	w.see("4 interfaces")
	w.types(lab.SyncInterface + enter)
	w.see("Interface Name      • " + lab.SyncInterface)
	w.types("\t" + ctrlU + peer + "\t\t" + ctrlU + "256K\t\t")
	w.see("is heard on UDP port", "[ Save Changes ]")
	w.takes("form")
	w.types(enter)
	w.see("Enter goes on to the review.")
	w.takes("checks")
	w.ponders(enter)
	w.see("› [ Apply ]")
	w.takes("review")
	w.ponders(enter)
	w.see("Saved, and in force. In sync both ways.")
	w.takes("apply")
	w.ponders(enter)
	w.see("In sync both ways.")
	w.takes("status")
	w.types("q")
	w.see("Save Changes:")
	return w.quits()
}

// wide is the form on a terminal of two columns, with the pair in sync.
func (w *walk) wide() error {
	w.see("in sync both ways", "is heard on UDP port")
	w.types("\t\t\t")
	w.see("› Peer IP")
	w.takes("form-wide")
	return w.quits()
}

// light are the checks on a light background, of a peer that is not there.
func (w *walk) light() error {
	w.see("in sync both ways")
	w.types("\t\t\t" + ctrlU + "10.0.0.77/24\t\t\t\t")
	w.see("› [ Save Changes ]")
	w.types(enter)
	w.see("A save is blocked by")
	w.takes("checks-light")
	w.types(ctrlC)
	w.see("enter answer")
	return w.quits()
}

func (w *walk) quits() error {
	w.types(ctrlC)
	if w.err == nil {
		_, w.err = w.seat.Wait(patience)
	}
	return w.err
}

func (w *walk) see(texts ...string) {
	if w.err == nil {
		w.err = w.seat.See(patience, texts...)
	}
}

func (w *walk) types(keys string) {
	if w.err == nil {
		w.err = w.seat.Type(keys)
	}
}

// ponders types after what a person takes to read a screen that came by itself.
func (w *walk) ponders(keys string) {
	time.Sleep(time.Second)
	w.types(keys)
}

// takes writes a picture of the screen once it is whole.
func (w *walk) takes(name string) {
	w.seat.Quiet(time.Second, 10*time.Second)
	if w.err != nil {
		return
	}
	if w.err = os.MkdirAll(w.into, 0o755); w.err == nil {
		w.err = os.WriteFile(filepath.Join(w.into, name+".svg"), w.palette.picture("connsync: "+name, w.columns, w.seat.Runs()), 0o644)
	}
}
