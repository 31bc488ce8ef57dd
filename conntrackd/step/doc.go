// Package step says how something that takes several steps goes on: what each
// step is, whether it runs, and how it ended. Whoever does the work reports each
// [Step] as it begins and as it ends; whoever watches prints it.
// It does nothing itself, and knows nothing of what the steps do.
package step
