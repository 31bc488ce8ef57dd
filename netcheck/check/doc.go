// Package check is what a check is and how checks are run. A [Check] asks one
// question and gives a [Finding]; [Run] asks all of a plan, each as soon as what it
// needs has been answered, and returns a [Report].
// A check that could not run is Unknown, and never Passed.
// It asks nothing itself.
package check
