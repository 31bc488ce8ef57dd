// Package coverage counts which of this node's connections would survive if it died
// now: it compares the kernel's table with conntrackd's internal cache. A [Looker] takes
// one look after another. It streams, so that a large table stays in little memory, and
// changes nothing.
package coverage
