package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

// Code that starts goroutines cannot be tested in a namespace by [Namespace.Do]:
// the goroutines would be outside. [Call] runs it in a process of its own
// there, which is the test binary again. The package's TestMain has to be
//
//	func TestMain(m *testing.M) { lab.Main(m, lab.Functions{"plan": lab.Function(plan)}) }
//
// and a test then says
//
//	err := lab.Call(ctx, namespace, "plan", target, &report)

// Functions are what can be called in another process, by name.
type Functions map[string]func(ctx context.Context, input []byte) (any, error)

// Function makes a function callable. In and Out travel as JSON.
func Function[In, Out any](f func(ctx context.Context, in In) (Out, error)) func(context.Context, []byte) (any, error) {
	return func(ctx context.Context, input []byte) (any, error) {
		var in In
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, fmt.Errorf("read input: %w", err)
		}
		return f(ctx, in)
	}
}

// Commander makes commands that run somewhere: [Namespace] and [Node] do.
type Commander interface {
	Command(name string, args ...string) *exec.Cmd
}

// CommandFunc is a function as a [Commander], for a prefix such as setpriv.
type CommandFunc func(name string, args ...string) *exec.Cmd

// Command calls f.
func (f CommandFunc) Command(name string, args ...string) *exec.Cmd { return f(name, args...) }

// callVariable names the function that this process was started to run.
const callVariable = "CONNSYNC_LAB_CALL"

// Main runs the tests of a package and ends the process; in a process that
// [Call] started it runs the function asked for instead.
func Main(m interface{ Run() int }, functions Functions) {
	name, called := os.LookupEnv(callVariable)
	if !called {
		os.Exit(m.Run())
	}
	os.Unsetenv(callVariable)
	if err := serve(name, functions); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(name string, functions Functions) error {
	f, ok := functions[name]
	if !ok {
		return fmt.Errorf("this test binary has no function %q for another process", name)
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	out, err := f(ctx, input)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// Call runs a function of this test binary in a process of its own, made by
// where. in is its input, out points to its result and may be nil. When ctx
// ends the process is killed. A process that prints anything on its standard
// error has failed: libraries do not log.
func Call(ctx context.Context, where Commander, name string, in, out any) error {
	if err := call(ctx, where, name, in, out); err != nil {
		return fmt.Errorf("call %s: %w", name, err)
	}
	return nil
}

func call(ctx context.Context, where Commander, name string, in, out any) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	input, err := json.Marshal(in)
	if err != nil {
		return err
	}
	var result, complaint bytes.Buffer
	cmd := where.Command(program, "-test.run=^$")
	// A race detector sleeps for a second at the end of its process if it is
	// not told otherwise.
	cmd.Env = append(os.Environ(), callVariable+"="+name, "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &result, &complaint
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	err = cmd.Wait()
	stop()
	text := strings.TrimSpace(complaint.String())
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && text == "":
		return err
	case text != "":
		return errors.New(text)
	case out == nil:
		return nil
	}
	return json.Unmarshal(result.Bytes(), out)
}
