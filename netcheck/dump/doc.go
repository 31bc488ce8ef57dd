// Package dump reads whole lists from the kernel over netlink: [All] asks again
// while the list changed under its hands.
// It knows nothing of what is listed.
package dump
