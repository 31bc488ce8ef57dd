// Command demo shows connsync at work on a pair of firewalls that it makes on
// this machine: node B is configured by the command line, node A in the
// configurator on the user's terminal, and then a connection survives the
// failure of node A. "make demo" builds and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"connsync/lab"
)

func main() {
	program := flag.String("connsync", "bin/connsync", "the connsync program to show")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	d := demo{out: os.Stdout, terminal: isTerminal(os.Stdin) && isTerminal(os.Stdout)}
	err := d.run(ctx, *program)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		fmt.Fprintln(os.Stderr, "\ndemo: interrupted; nothing is left behind")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

type demo struct {
	out      io.Writer
	terminal bool // a person sits there
	program  string
	pair     *lab.Pair
}

func (d *demo) run(ctx context.Context, program string) (err error) {
	if d.program, err = filepath.Abs(program); err != nil {
		return err
	}
	if _, err := os.Stat(d.program); err != nil {
		return fmt.Errorf("the program to show is not built: %w", err)
	}
	for _, needed := range []string{"conntrackd", "conntrack", "nft"} {
		if _, err := exec.LookPath(needed); err != nil {
			return fmt.Errorf("%s is not installed (apt-get install conntrackd conntrack nftables): %w", needed, err)
		}
	}
	if d.pair, err = lab.NewPair(ctx, lab.Options{}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.pair.Close()) }()

	fmt.Fprint(d.out, introduction)
	if err := d.configureB(ctx); err != nil {
		return err
	}
	if d.terminal {
		err = d.configureByHand(ctx)
	} else {
		err = d.configureA(ctx)
	}
	if err != nil {
		return err
	}
	if err := d.status(ctx); err != nil {
		return err
	}
	return d.prove(ctx)
}

const introduction = `
Two firewalls, fw-a and fw-b, made of network namespaces on this machine; a real
conntrackd will run on each. Connections pass from the client to the server
through the one that has the virtual addresses, fw-a for now.

                            +--- fw-a ---+
    client 10.1.0.10 -------+     |      +------- server 10.2.0.10
                            |    eth1    |
                            |     |      |
                            +--- fw-b ---+

    sync link, eth1 on both:  fw-a 10.0.0.101/24,  fw-b 10.0.0.102/24

`

// settings are the flags that make m sync with the other node.
func (d *demo) settings(m *lab.Member) []string {
	return []string{"--enable", "--interface", lab.SyncInterface,
		"--current-ip", m.Sync.String(), "--peer-ip", d.pair.Other(m).Sync.String()}
}

func (d *demo) configureB(ctx context.Context) error {
	d.say("Node B is set up by a command. Its peer does not sync yet: it is the first node.")
	args := append([]string{"apply"}, d.settings(d.pair.B)...)
	return d.connsync(ctx, d.pair.B, append(args, "--first-node")...)
}

// configureA does what the form does, step by step, for want of a terminal.
func (d *demo) configureA(ctx context.Context) error {
	flags := d.settings(d.pair.A)
	for _, step := range []struct {
		title string
		args  []string
	}{
		{"There is no terminal, so node A is set up by commands too. First the checks.", append([]string{"check"}, flags...)},
		{"What a save would change.", append([]string{"apply", "--dry-run"}, flags...)},
		{"The save.", append([]string{"apply"}, flags...)},
	} {
		d.say(step.title)
		if err := d.connsync(ctx, d.pair.A, step.args...); err != nil {
			return err
		}
	}
	return nil
}

const instructions = `
The configurator opens inside fw-a now, where nothing is set yet. Fill in

    Enable Sync       Enable
    Interface Name    eth1             (Enter opens the list)
    Current IP        10.0.0.101/24    (filled in with the interface)
    Peer IP           10.0.0.102/24

leave the rest as it is, choose Save Changes, and quit when fw-a has heard fw-b.

Press Enter to open it, Ctrl+C to end the demonstration. `

func (d *demo) configureByHand(ctx context.Context) error {
	fmt.Fprint(d.out, instructions)
	if err := enter(ctx); err != nil {
		return err
	}
	cmd := d.command(ctx)
	cmd.Stdin = os.Stdin
	if err := d.pair.A.Start(cmd); err != nil {
		return fmt.Errorf("open the configurator: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("the configurator ended with %w", err)
	}
	if _, err := d.pair.A.ReadFile(lab.ConfigPath); err != nil {
		return errors.New("nothing was saved on fw-a, so nothing can be proven")
	}
	return nil
}

// enter waits for the Enter key or the end of the context.
func enter(ctx context.Context) error {
	read := make(chan error, 1)
	go func() {
		// One byte at a time: what is typed ahead is the configurator's.
		for b := make([]byte, 1); b[0] != '\n'; {
			if _, err := os.Stdin.Read(b); err != nil {
				read <- fmt.Errorf("wait for Enter: %w", err)
				return
			}
		}
		read <- nil
	}()
	select {
	case err := <-read:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// settleTime is how long a pair may take to see both directions.
const settleTime = 15 * time.Second

func (d *demo) status(ctx context.Context) error {
	d.say("The status of both nodes.")
	deadline, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for _, m := range []*lab.Member{d.pair.A, d.pair.B} {
		for {
			out, err := m.Run(ctx, d.program, "status")
			if err == nil || deadline.Err() != nil {
				fmt.Fprintf(d.out, "%s# connsync status\n%s\n", m.Name(), out)
			}
			if err == nil {
				break
			}
			if deadline.Err() != nil {
				return fmt.Errorf("%s does not sync both ways after %v", m.Name(), settleTime)
			}
			select {
			case <-deadline.Done():
			case <-time.After(250 * time.Millisecond):
			}
		}
	}
	return nil
}

// prove opens connections through A, shows them on B and then lets A fail.
func (d *demo) prove(ctx context.Context) error {
	const count = 10
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	d.say(fmt.Sprintf("The proof: the client opens %d connections to the server through fw-a.", count))
	conns, err := d.pair.Connect(ctx, count)
	if err != nil {
		return fmt.Errorf("connect the client to the server: %w", err)
	}
	defer conns.Close()
	if alive := conns.Alive(5 * time.Second); alive != count {
		return fmt.Errorf("%d of %d connections work through fw-a", alive, count)
	}
	replicated, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	if err := d.pair.B.WaitEstablished(replicated, conns); err != nil {
		return fmt.Errorf("the states did not reach fw-b: %w", err)
	}
	port := conns.Ends()[0].Source.Port()
	out, err := d.pair.B.Run(ctx, "conntrack", "-L", "-p", "tcp", "--sport", fmt.Sprint(port))
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "fw-b# conntrack -L -p tcp --sport %d     (the first of %d, all there)\n%s\n", port, count, out)

	d.say("fw-a fails: its cables to client and server are cut, fw-b takes their addresses.")
	for _, s := range []*lab.Switch{d.pair.LAN, d.pair.WAN} {
		if err := s.Cut(d.pair.A.Port); err != nil {
			return err
		}
	}
	if err := d.pair.Activate(d.pair.B); err != nil {
		return err
	}
	alive := conns.Alive(10 * time.Second)
	fmt.Fprintf(d.out, "%d of %d connections go on through fw-b.\n", alive, count)
	if alive != count {
		return fmt.Errorf("%d of %d connections were lost", count-alive, count)
	}
	return nil
}

func (d *demo) say(sentence string) { fmt.Fprintf(d.out, "\n--- %s\n\n", sentence) }

// connsync runs connsync in a node and shows the command and its output.
func (d *demo) connsync(ctx context.Context, m *lab.Member, args ...string) error {
	line := "connsync " + strings.Join(args, " ")
	fmt.Fprintf(d.out, "%s# %s\n", m.Name(), line)
	cmd := d.command(ctx, args...)
	if err := m.Start(cmd); err != nil {
		return fmt.Errorf("%s: %s: %w", m.Name(), line, err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %s: %w", m.Name(), line, err)
	}
	return nil
}

// command is connsync, to be started in a node. When the demonstration is
// interrupted it may end by itself, so that a terminal is left in order.
func (d *demo) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.program, args...)
	cmd.Stdout, cmd.Stderr = d.out, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 3 * time.Second
	return cmd
}
