// Command flood fills the sync link of a node of the lab with frames, forged and
// broken ones among them, while "status --watch" and the form's Status page look
// at it, and prints what these need. "make flood" builds and runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.program, "connsync", "bin/connsync", "the connsync program to measure")
	flag.DurationVar(&o.lasts, "for", 10*time.Minute, "how long the flood lasts")
	flag.IntVar(&o.rate, "rate", 100_000, "how many frames a second; fewer where the host can do no more")
	flag.DurationVar(&o.every, "every", 30*time.Second, "how often the figures are printed")
	flag.Parse()
	o.out = os.Stdout
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	figures, err := flood(ctx, o)
	if err == nil {
		err = figures.flat()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "flood:", err)
		os.Exit(1)
	}
	fmt.Println("Memory and descriptors are flat.")
}
