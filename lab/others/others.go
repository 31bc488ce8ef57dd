// Package others has the programs that connsync's screens are measured beside, on an
// equal form: dialog, whiptail and nmtui.
package others

import (
	"context"
	"fmt"
	"os/exec"

	"connsync/lab"
)

const title = "Connection Sync Settings"

// Dialog is dialog with the seven fields of the form.
func Dialog() []string {
	fields := []string{
		"Enable Sync", "Enable", "Interface Name", "eth1", "Current IP", "10.0.0.101/24", "Peer IP", "10.0.0.102/24",
		"Port", "3780", "Send Buffer Size", "65536", "Receive Buffer Size", "65536",
	}
	form := []string{"dialog", "--title", title, "--form", "Tab to the buttons, arrows between the fields.", "18", "70", "7"}
	for i := 0; i < len(fields); i += 2 {
		row := fmt.Sprint(i/2 + 1)
		form = append(form, fields[i], row, "1", fields[i+1], row, "25", "30", "40")
	}
	return form
}

// Whiptail is whiptail with one field, the most that it can have.
func Whiptail() []string {
	return []string{"whiptail", "--title", title, "--inputbox", "Port", "18", "70", "3780"}
}

// Menu is a list of ten interfaces of program, dialog or whiptail.
func Menu(program string) []string {
	menu := []string{program, "--title", "Choose the sync interface", "--menu", "", "18", "70", "10"}
	for i := range 10 {
		menu = append(menu, fmt.Sprintf("eth%d", i), "up         10 Gb/s  physical  10.0.0.101/24")
	}
	return menu
}

// Nmtui is nmtui with the connection of an [OpenOffice].
func Nmtui() []string { return []string{"nmtui", "edit", "bench"} }

// Missing names the first program that is not installed; blank where all are.
func Missing() string {
	for _, needed := range []string{"dialog", "whiptail", "nmtui", "dbus-daemon", "NetworkManager"} {
		if _, err := exec.LookPath(needed); err != nil {
			return needed
		}
	}
	return ""
}

// profile is a connection for nmtui to edit.
const profile = `[connection]
id=bench
type=ethernet
interface-name=eth1
autoconnect=false

[ipv4]
method=manual
address1=10.0.0.101/24,10.0.0.1
`

// OpenOffice is a node with a NetworkManager of its own, for nmtui. It is returned with
// an error too, where there is something to close.
func OpenOffice(ctx context.Context) (*lab.Node, error) {
	office, err := lab.NewNode(ctx, "office")
	if err != nil {
		return nil, err
	}
	const file = "/etc/NetworkManager/system-connections/bench.nmconnection"
	if err := office.WriteFile(file, []byte(profile)); err != nil {
		return office, err
	}
	_, err = office.Run(ctx, "sh", "-ec", `
		chmod 600 `+file+`
		mkdir -p /run/dbus
		dbus-daemon --system --fork
		NetworkManager </dev/null >/dev/null 2>&1
		for try in $(seq 50); do
			nmcli -t -f NAME connection show 2>/dev/null | grep -qx bench && exit 0
			sleep 0.2
		done
		echo "NetworkManager does not show its connection" >&2
		exit 1`)
	return office, err
}
