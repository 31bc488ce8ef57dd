// Package text has the sentences that form, line mode and command line share:
// view models of checks, reviews, saves and the status, the [Draft] and the peer line.
// Each is made from typed data by a pure function; the faces lay it out and print it.
// It knows neither a terminal's width nor its colours.
package text
