// Package prepare finds and mends what a host does against its own sync beside
// conntrackd.conf: the unit, the kernel's events, log rotation. A [Preparer] looks,
// changes what is missing and undoes it again.
// The caller holds the writer lock of hostfile while it changes anything.
// It neither writes conntrackd.conf nor restarts the daemon.
package prepare
