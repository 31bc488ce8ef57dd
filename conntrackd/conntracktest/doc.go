// Package conntracktest has what the tests of conntrackd's packages share: settings
// and a file that go together, and a control socket that answers as a test says.
package conntracktest
