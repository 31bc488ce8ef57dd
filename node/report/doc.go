// Package report has a node tell its peer by itself, at a low rate, what it holds of the
// peer's connections. So "would survive" can be said on the other node where nobody
// looks at this one. It takes no lock of a save, and asks the peer for nothing.
package report
