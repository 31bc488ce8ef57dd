package lab

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// callables are the functions that the tests below call.
var callables = Functions{
	"interfaces": Function(func(ctx context.Context, prefix string) ([]string, error) {
		var names []string
		done := make(chan error)
		go func() { // a goroutine is in the namespace too
			all, err := net.Interfaces()
			for _, i := range all {
				names = append(names, prefix+i.Name)
			}
			done <- err
		}()
		return names, <-done
	}),
	"fail": Function(func(context.Context, string) (string, error) { return "", errors.New("on purpose") }),
	"chat": Function(func(context.Context, string) (string, error) {
		os.Stderr.WriteString("debug: something\n")
		return "fine", nil
	}),
	"sleep": Function(func(context.Context, string) (string, error) {
		time.Sleep(time.Minute)
		return "", nil
	}),
}

func TestCall(t *testing.T) {
	n, err := NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	node := newNode(t, "fw-a")
	for _, where := range []Commander{n, node} {
		var names []string
		if err := Call(t.Context(), where, "interfaces", "if ", &names); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"if lo"}, names); diff != "" {
			t.Errorf("in %T (-want +got):\n%s", where, diff)
		}
	}
	for name, want := range map[string]string{"fail": "on purpose", "chat": "debug: something", "none": `no function "none"`} {
		if err := Call(t.Context(), n, name, "", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("call %s: %v, want %q", name, err, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := Call(ctx, n, "sleep", "", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("call that takes too long: %v", err)
	}
}
