package bus

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// message is a message as a bus sends it.
func message(t testing.TB, kind dbus.Type, headers map[dbus.HeaderField]any, body ...any) []byte {
	t.Helper()
	m := &dbus.Message{Type: kind, Headers: map[dbus.HeaderField]dbus.Variant{}, Body: body}
	for field, value := range headers {
		m.Headers[field] = dbus.MakeVariant(value)
	}
	if len(body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	var b bytes.Buffer
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func signalOf(t testing.TB, iface, member string, body ...any) []byte {
	t.Helper()
	return message(t, dbus.TypeSignal, map[dbus.HeaderField]any{
		dbus.FieldPath: dbus.ObjectPath("/org/freedesktop/DBus"), dbus.FieldInterface: iface,
		dbus.FieldMember: member, dbus.FieldSender: "org.freedesktop.DBus",
	}, body...)
}

// oddBus answers at a socket: the greeting, then what it is given.
func oddBus(t *testing.T, greeting, then func(io.ReadWriter)) (address string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				greeting(conn)
				then(conn)
			}()
		}
	}()
	return "unix:path=" + path
}

// welcome is the greeting of a bus that takes whoever comes.
func welcome(c io.ReadWriter) {
	said := make([]byte, 1)
	line := ""
	for {
		if _, err := c.Read(said); err != nil {
			return
		}
		if line += string(said); !strings.HasSuffix(line, "\r\n") {
			continue
		}
		switch {
		case strings.HasPrefix(line, "BEGIN"):
			return
		case strings.Contains(line, "AUTH EXTERNAL"):
			io.WriteString(c, "OK 0123456789abcdef0123456789abcdef\r\n")
		default:
			io.WriteString(c, "REJECTED EXTERNAL\r\n")
		}
		line = ""
	}
}

// endless says something for ever, and counts it.
func endless(what string, said *atomic.Int64) func(io.ReadWriter) {
	return func(c io.ReadWriter) {
		for {
			n, err := io.WriteString(c, what)
			if said.Add(int64(n)); err != nil {
				return
			}
		}
	}
}

// A bus that speaks without end or breaks the protocol is an error, whatever it
// sends: it neither fills the memory nor makes a goroutine of a library panic.
func TestOddBusIsAnError(t *testing.T) {
	long := make([]byte, 16)
	copy(long, "l\x02\x00\x01")
	binary.LittleEndian.PutUint32(long[4:], messageMost)
	var said atomic.Int64
	send := func(all ...[]byte) func(io.ReadWriter) {
		return func(c io.ReadWriter) {
			for _, m := range all {
				if _, err := c.Write(m); err != nil {
					return
				}
			}
			_, _ = io.Copy(io.Discard, c)
		}
	}
	for name, test := range map[string]struct{ greeting, then func(io.ReadWriter) }{
		"a line without end":        {endless(strings.Repeat("x", 4096), &said), nil},
		"lines without end":         {endless("DATA\r\n", &said), nil},
		"messages of noise":         {welcome, endless("noise", new(atomic.Int64))},
		"a message that is too big": {welcome, send(long)},
		"a name lost without one":   {welcome, send(signalOf(t, "org.freedesktop.DBus", "NameLost"))},
		"a name that is a number":   {welcome, send(signalOf(t, "org.freedesktop.DBus", "NameAcquired", uint32(7)))},
		"a job removed, too short":  {welcome, send(signalOf(t, "org.freedesktop.systemd1.Manager", "JobRemoved", uint32(7)))},
		"a change without a name":   {welcome, send(signalOf(t, "org.freedesktop.DBus.Properties", "PropertiesChanged", uint32(7)))},
		"a body that is cut short":  {welcome, send(append([]byte("l\x02\x00\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"), 0))},
	} {
		t.Run(name, func(t *testing.T) {
			address := oddBus(t, test.greeting, func(c io.ReadWriter) {
				if test.then != nil {
					test.then(c)
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			conn, err := openBus(ctx, address)
			if err == nil {
				defer conn.Close()
				err = conn.Hello()
			}
			if err == nil {
				t.Error("it is taken for a bus")
			}
			if ctx.Err() != nil {
				t.Errorf("it was read until the time was up: %v", err)
			}
		})
	}
	if most := int64(4 << 20); said.Load() > most { // what the socket holds too
		t.Errorf("%d bytes were taken of what has no end", said.Load())
	}
}

// A bus that keeps to the protocol is heard; a call that it makes is passed over.
func TestBusIsHeard(t *testing.T) {
	address := oddBus(t, welcome, func(c io.ReadWriter) {
		buf := make([]byte, 4096)
		if _, err := c.Read(buf); err != nil {
			return
		}
		c.Write(message(t, dbus.TypeMethodCall, map[dbus.HeaderField]any{dbus.FieldPath: dbus.ObjectPath("/"), dbus.FieldMember: "Ping"}))
		c.Write(signalOf(t, "org.freedesktop.DBus", "NameAcquired", ":1.7"))
		c.Write(message(t, dbus.TypeMethodReply, map[dbus.HeaderField]any{dbus.FieldReplySerial: uint32(1)}, ":1.7"))
		_, _ = io.Copy(io.Discard, c)
	})
	conn, err := openBus(t.Context(), "tcp:host=127.0.0.1;"+address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Hello(); err != nil {
		t.Error(err)
	}
	if names := conn.Names(); len(names) == 0 || names[0] != ":1.7" {
		t.Errorf("its names are %v", names)
	}
}

func TestSocketOf(t *testing.T) {
	for addresses, want := range map[string]string{
		systemBus:                     "/var/run/dbus/system_bus_socket",
		"unix:abstract=/tmp/a,guid=0": "@/tmp/a",
		"unix:path=/tmp/a%20b":        "/tmp/a b",
		"unixexec:path=/bin/sh":       "",
		"":                            "",
	} {
		got, err := socketOf(addresses)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q (%v), want %q", addresses, got, err, want)
		}
	}
}

// Whatever follows the greeting, a message that is handed on is one that the
// libraries take without a panic, and no call.
func FuzzBusMessage(f *testing.F) {
	f.Add(message(f, dbus.TypeMethodCall, map[dbus.HeaderField]any{dbus.FieldPath: dbus.ObjectPath("/"), dbus.FieldMember: "Ping"}))
	f.Add(signalOf(f, "org.freedesktop.DBus", "NameAcquired", ":1.7"))
	f.Add(message(f, dbus.TypeMethodReply, map[dbus.HeaderField]any{dbus.FieldReplySerial: uint32(1)}, ":1.7"))
	f.Add([]byte("l\x04\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		near, far := net.Pipe()
		go func() { defer far.Close(); _, _ = far.Write(sent) }()
		defer near.Close()
		b := newBusStream(near)
		b.begun = true
		for {
			m, err := dbus.DecodeMessage(b)
			var odd dbus.InvalidMessageError
			if !errors.Is(err, errBus) && errors.As(err, &odd) {
				t.Fatalf("handed on: %v", err)
			}
			if err != nil {
				return
			}
			if m.Type == dbus.TypeMethodCall {
				t.Fatal("a call is handed on")
			}
		}
	})
}
