package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"connsync/lab"
)

// Each script in testdata/script is one promise of the command line, on the
// real program. Beside testscript's own commands there are:
//
//	pair [ipv6]                   makes two connected nodes, A and B
//	on NODE [exit N] PROGRAM ...  runs a program in a node to its end
//	exit N PROGRAM ...            runs a program here
//	begin NAME NODE PROGRAM ...   starts a program in a node and goes on
//	await NAME REGEXP             waits until it has printed that
//	signal NAME SIGNAL            sends it INT, TERM or HUP, past the strace it is under
//	finish NAME N                 waits for its end
//	hold NODE ADDRPORT after PATH takes a UDP port as soon as there is that file
//
// and those of script_json_test.go for JSON on stdout. A program is expected to end
// with status N, 0 where none is given, and leaves stdout and stderr for the
// next command. What connsync prints with --json has to fit its schema in docs/json.
// $WORK is the same directory in every node.
func TestScript(t *testing.T) {
	t.Parallel()
	dir := filepath.Dir(build(t))
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", dir+":"+env.Getenv("PATH")+":/usr/sbin:/sbin")
			env.Setenv("TERM", "dumb")
			env.Setenv("LC_ALL", "C")
			env.Setenv("CONF", lab.ConfigPath)
			env.Values[stageKey{}] = &stage{running: map[string]*running{}}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"pair": cmdPair, "on": cmdOn, "exit": cmdExit,
			"begin": cmdBegin, "await": cmdAwait, "signal": cmdSignal, "finish": cmdFinish, "hold": cmdHold,
			"keys": cmdKeys, "value": cmdValue, "checks": cmdChecks,
		},
	})
}

// scriptPatience is how long a program of a script may take.
const scriptPatience = 3 * time.Minute

type stageKey struct{}

// stage is what a script has set up.
type stage struct {
	nodes   map[string]*lab.Member
	running map[string]*running
}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

// usage ends the script where a command is not used as it is meant.
func usage(ts *testscript.TestScript, neg, ok bool, line string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", line)
	}
}

func cmdPair(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 0 || len(args) == 1 && args[0] == "ipv6", "pair [ipv6]")
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	p, err := lab.NewPair(ctx, lab.Options{IPv6: len(args) > 0})
	ts.Check(err)
	ts.Defer(func() {
		if err := p.Close(); err != nil {
			ts.Logf("close the pair: %v", err)
		}
	})
	stageOf(ts).nodes = map[string]*lab.Member{"A": p.A, "B": p.B}
}

func (s *stage) node(ts *testscript.TestScript, name string) *lab.Member {
	m := s.nodes[name]
	if m == nil {
		ts.Fatalf("there is no node %s: pair makes A and B", name)
	}
	return m
}

// wanted takes "exit N" off the beginning of args.
func wanted(ts *testscript.TestScript, args []string) (int, []string) {
	if len(args) < 2 || args[0] != "exit" {
		return 0, args
	}
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	return status, args[2:]
}

func cmdOn(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "on NODE [exit N] PROGRAM ARGS...")
	node := stageOf(ts).node(ts, args[0])
	status, args := wanted(ts, args[1:])
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	cmd := command(ctx, ts, args)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(ts.Stdout(), &out), ts.Stderr()
	err := node.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	ended(ts, args, status, err)
	validateJSON(ts, args, out.String())
}

func cmdExit(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "exit N PROGRAM ARGS...")
	status, args := wanted(ts, append([]string{"exit"}, args...))
	ended(ts, args, status, ts.Exec(args[0], args[1:]...))
	validateJSON(ts, args, ts.ReadFile("stdout"))
}

// command is a program with the environment and directory of the script.
func command(ctx context.Context, ts *testscript.TestScript, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	if args[0] == "connsync" {
		path, err := program()
		ts.Check(err)
		cmd = exec.CommandContext(ctx, path, args[1:]...)
	}
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"PATH", "TERM", "LC_ALL", "CONF", "WORK"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.WaitDelay = 2 * time.Second // a daemon may have kept the output open
	return cmd
}

// ended compares how a program ended with how it should have.
func ended(ts *testscript.TestScript, args []string, want int, err error) {
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v: %v", args, err)
	}
	if got != want {
		ts.Fatalf("%v: exit status %d (%v), want %d", args, got, err, want)
	}
}

// running is a program that was begun.
type running struct {
	node     *lab.Member
	cmd      *exec.Cmd
	args     []string
	cancel   context.CancelFunc
	out, err buffer
	done     chan error
}

// buffer is a bytes.Buffer that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func cmdBegin(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 3, "begin NAME NODE PROGRAM ARGS...")
	s := stageOf(ts)
	r := &running{node: s.node(ts, args[1]), args: args[2:], done: make(chan error, 1)}
	var ctx context.Context
	ctx, r.cancel = context.WithTimeout(context.Background(), scriptPatience)
	ts.Defer(r.cancel)
	r.cmd = command(ctx, ts, r.args)
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.err
	ts.Check(r.node.Start(r.cmd))
	go func() { r.done <- r.cmd.Wait() }()
	s.running[args[0]] = r
}

func (s *stage) program(ts *testscript.TestScript, name string) *running {
	r := s.running[name]
	if r == nil {
		ts.Fatalf("nothing was begun as %s", name)
	}
	return r
}

func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "await NAME REGEXP")
	r := stageOf(ts).program(ts, args[0])
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	for deadline := time.Now().Add(scriptPatience); !pattern.MatchString(r.out.String()); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) || len(r.done) > 0 && !pattern.MatchString(r.out.String()) {
			ts.Fatalf("%v never printed %s; it printed:\n%s%s", r.args, args[1], &r.out, &r.err)
		}
	}
}

func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP}
	usage(ts, neg, len(args) == 2 && signals[args[1]] != 0, "signal NAME INT|TERM|HUP")
	r := stageOf(ts).program(ts, args[0])
	if r.args[0] == "connsync" {
		ts.Check(r.cmd.Process.Signal(signals[args[1]]))
		return
	}
	ts.Check(r.node.Signal(context.Background(), "connsync", signals[args[1]]))
}

func cmdFinish(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "finish NAME N")
	r := stageOf(ts).program(ts, args[0])
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	err = <-r.done
	r.cancel()
	fmt.Fprint(ts.Stdout(), r.out.String())
	fmt.Fprint(ts.Stderr(), r.err.String())
	ended(ts, r.args, want, err)
	validateJSON(ts, r.args, r.out.String())
}

// cmdHold takes the port without SO_REUSEADDR and keeps it to the end of the
// script.
func cmdHold(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 4 && args[2] == "after", "hold NODE ADDRPORT after PATH")
	node := stageOf(ts).node(ts, args[0])
	addr, err := netip.ParseAddrPort(args[1])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	done := make(chan error, 1)
	go func() {
		done <- node.Enter(func() error {
			for {
				if _, err := os.Stat(args[3]); err == nil {
					break
				}
				if ctx.Err() != nil {
					return fmt.Errorf("%s never came", args[3])
				}
				time.Sleep(time.Millisecond)
			}
			conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
			if err != nil {
				return err
			}
			defer conn.Close()
			<-ctx.Done()
			return nil
		})
	}()
	ts.Defer(func() {
		cancel()
		if err := <-done; err != nil {
			ts.Logf("hold %s: %v", addr, err)
		}
	})
}
