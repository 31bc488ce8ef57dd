// Package report has a node tell its peer by itself, at a low rate, what it holds of the
// peer's connections. So "would survive" can be said on the other node where nobody
// looks at this one. It takes no lock of a save. What the node has lost of the peer's it
// asks for, ever more seldom where that does not help.
package report
