// Package hostfiletest looks at files for the tests of the packages that change
// them.
package hostfiletest
