// Command trees makes what the tests keep in /var/cache/connsync-lab: the
// Debians that they boot, and the kernel of the machine behind the serial line.
// What is there already is left as it is. It needs root and debootstrap.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"connsync/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "trees:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	for _, debian := range lab.Debians() {
		if _, err := debian.Tree(ctx); err != nil {
			return err
		}
	}
	_, err := lab.NewKernel(ctx)
	return err
}
