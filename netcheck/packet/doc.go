// Package packet says where the fields of IP, UDP, ICMP and neighbour discovery
// headers stand, in bytes, with the RFC that says so.
// It sends and receives nothing.
package packet
