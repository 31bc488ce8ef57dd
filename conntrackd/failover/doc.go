// Package failover is the hook that a keepalived calls when a node becomes
// primary, backup or fault. A [Failover] has the daemon commit, flush, resync and
// purge, and sees from the daemon's counters that it did.
// Run it with a role; it reports its steps and is safe to interrupt.
// It decides nothing: who is primary is the caller's word.
package failover
