// Package service runs the daemon: a [Service] restarts, stops, enables and
// disables it and says its [State]. [Find] chooses systemd, OpenRC, a SysV script,
// conntrackd itself or nobody by what the host has.
// It reads the file only for lock, socket and log of a daemon that it starts, and does
// not judge whether the nodes sync.
package service
