package main

import (
	"context"
	"regexp"
	"testing"
	"time"

	"connsync/lab"
)

// listensAsBefore asserts by the kernel's table that the daemon has the buffers
// of 64 KiB that were saved first, doubled.
func listensAsBefore(t *testing.T, ctx context.Context, m *lab.Member) {
	t.Helper()
	out, err := m.Run(ctx, "ss", "-Huanm", "src", m.Sync.Addr().String())
	if err != nil || !regexp.MustCompile(regexp.QuoteMeta(m.Sync.Addr().String())+`:3780 [^S]*rb131072,`).MatchString(out) {
		t.Errorf("%v: the sockets are:\n%s", err, out)
	}
}

// carriesOn asserts that connections through node A come to node B.
func carriesOn(t *testing.T, ctx context.Context, pair *lab.Pair) {
	t.Helper()
	connections, err := pair.Connect(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer connections.Close()
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := pair.B.WaitEstablished(waiting, connections); err != nil {
		t.Error(err)
	}
	if alive := connections.Alive(time.Minute); alive != 3 {
		t.Errorf("%d of 3 connections are alive", alive)
	}
}
