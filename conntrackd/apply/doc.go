// Package apply saves a candidate: it writes the file, has the service run it and
// proves that it does, or puts everything back. An [Applier] carries a save out,
// [History] keeps what each save replaced, [NewRestore] takes one back.
// Review, apply, and read the outcome; a killed save is ended by [Applier.Recover].
// It prints nothing and asks nobody.
package apply
