package bus

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

const (
	// systemBus is where the system bus is, unless the environment says more.
	systemBus = "unix:path=/var/run/dbus/system_bus_socket"
	// systemdPrivate is systemd's own socket, which is root's alone.
	systemdPrivate = "unix:path=/run/systemd/private"

	// greetingMost is how much a bus may say before messages begin.
	greetingMost = 16 << 10
	// messageMost is how large a message may be; a list of all units is smaller.
	messageMost = 8 << 20
)

// errBus says that what answers as a bus does not keep to D-Bus. The library would
// read it without end, or panic on a goroutine of its own.
var errBus = errors.New("the bus does not keep to the D-Bus protocol")

// System connects to the system bus.
func System(ctx context.Context) (*sd.Conn, error) {
	address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS")
	if address == "" {
		address = systemBus
	}
	return sd.NewConnection(func() (*dbus.Conn, error) {
		conn, err := openBus(ctx, address)
		if err == nil {
			if err = conn.Hello(); err != nil {
				conn.Close()
			}
		}
		return conn, err
	})
}

// Private connects to systemd itself.
func Private(ctx context.Context) (*sd.Conn, error) {
	return sd.NewConnection(func() (*dbus.Conn, error) { return openBus(ctx, systemdPrivate) })
}

// openBus connects and authenticates at the first address of a list that is a UNIX
// socket.
func openBus(ctx context.Context, addresses string) (*dbus.Conn, error) {
	path, err := socketOf(addresses)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if addresses != systemBus && addresses != systemdPrivate {
		if err := listenerTrusted(raw, path); err != nil {
			raw.Close()
			return nil, err
		}
	}
	conn, err := dbus.NewConn(newBusStream(raw), dbus.WithContext(ctx))
	if err != nil {
		raw.Close()
		return nil, err
	}
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// listenerTrusted refuses the socket of another user, which an environment that is not root's
// may name.
func listenerTrusted(conn net.Conn, path string) error {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	if controlled := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); controlled != nil || err != nil {
		return errors.Join(controlled, err)
	}
	if uid := int(peer.Uid); uid != 0 && uid != os.Geteuid() {
		return fmt.Errorf("DBUS_SYSTEM_BUS_ADDRESS: %s is served by user %d, who is not root: unset that variable", path, uid)
	}
	return nil
}

// socketOf reads the server addresses of the D-Bus specification.
func socketOf(addresses string) (string, error) {
	for address := range strings.SplitSeq(addresses, ";") {
		rest, ok := strings.CutPrefix(address, "unix:")
		if !ok {
			continue
		}
		for pair := range strings.SplitSeq(rest, ",") {
			key, value, _ := strings.Cut(pair, "=")
			path, err := url.PathUnescape(value)
			switch {
			case err != nil:
			case key == "path":
				return path, nil
			case key == "abstract":
				return "@" + path, nil
			}
		}
	}
	return "", fmt.Errorf("address of the system bus %q: not a UNIX socket", addresses)
}

// busStream is a connection to a bus that hands over whole messages only, each of
// them looked at first: none is endless, and none makes the library panic.
type busStream struct {
	net.Conn
	in       *bufio.Reader
	greeting int    // bytes that are left of it
	begun    bool   // messages come
	ready    []byte // of the message that is being handed over
}

func newBusStream(conn net.Conn) *busStream {
	return &busStream{Conn: conn, in: bufio.NewReader(conn), greeting: greetingMost}
}

// Write sees the end of the greeting, after which the bus sends messages. The
// library reads again only after that.
func (b *busStream) Write(p []byte) (int, error) {
	if bytes.Equal(p, []byte("BEGIN\r\n")) {
		b.begun = true
	}
	return b.Conn.Write(p)
}

func (b *busStream) Read(p []byte) (int, error) {
	if !b.begun {
		if b.greeting == 0 {
			return 0, fmt.Errorf("%w: it greets without end", errBus)
		}
		n, err := b.in.Read(p[:min(len(p), b.greeting)])
		b.greeting -= n
		return n, err
	}
	for len(b.ready) == 0 {
		message, err := b.next()
		if err != nil {
			return 0, err
		}
		b.ready = message
	}
	n := copy(p, b.ready)
	b.ready = b.ready[n:]
	return n, nil
}

// next reads one message; blank is one that nobody here wants.
func (b *busStream) next() ([]byte, error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(b.in, head); err != nil {
		return nil, err
	}
	order := binary.ByteOrder(binary.LittleEndian)
	switch head[0] {
	case 'l':
	case 'B':
		order = binary.BigEndian
	default:
		return nil, fmt.Errorf("%w: a message begins with byte %#x", errBus, head[0])
	}
	body, fields := uint64(order.Uint32(head[4:])), uint64(order.Uint32(head[12:]))
	length := 16 + (fields+7)/8*8 + body
	if length > messageMost {
		return nil, fmt.Errorf("%w: a message has %d bytes, at most %d are read", errBus, length, messageMost)
	}
	var message bytes.Buffer // which grows as the bytes come
	message.Write(head)
	if _, err := io.CopyN(&message, b.in, int64(length)-16); err != nil {
		return nil, err
	}
	wanted, err := wellFormed(message.Bytes())
	if err != nil || !wanted {
		return nil, err
	}
	return message.Bytes(), nil
}

// bodies are those of the signals that the libraries read without a look at them.
var bodies = map[string]string{
	"org.freedesktop.DBus.NameLost":                     "s",
	"org.freedesktop.DBus.NameAcquired":                 "s",
	"org.freedesktop.DBus.Properties.PropertiesChanged": "sa{sv}as",
	"org.freedesktop.systemd1.Manager.JobRemoved":       "uoss",
	"org.freedesktop.systemd1.Manager.UnitNew":          "so",
}

// wellFormed says whether a message is one that the libraries can be given. A call
// of a method is not wanted: nobody has to call this program.
func wellFormed(message []byte) (wanted bool, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v", errBus, cause)
		}
	}()
	m, err := dbus.DecodeMessage(bytes.NewReader(message))
	if err != nil {
		return false, fmt.Errorf("%w: %w", errBus, err)
	}
	switch m.Type {
	case dbus.TypeMethodReply, dbus.TypeError:
		return true, nil
	case dbus.TypeSignal:
	default:
		return false, nil
	}
	name := fmt.Sprint(m.Headers[dbus.FieldInterface].Value(), ".", m.Headers[dbus.FieldMember].Value())
	signature, _ := m.Headers[dbus.FieldSignature].Value().(dbus.Signature)
	if want, known := bodies[name]; known && signature.String() != want {
		return false, fmt.Errorf("%w: signal %s has %q, not %q", errBus, name, signature.String(), want)
	}
	return true, nil
}
