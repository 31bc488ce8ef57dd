// Package bus connects to systemd over D-Bus: [System] by the system bus, [Private] by
// systemd's own socket. What answers and does not keep to the protocol is an error.
// It asks nothing, and knows no unit.
package bus
