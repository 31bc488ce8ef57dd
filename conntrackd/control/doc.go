// Package control speaks with a running conntrackd over its control socket. A
// [Client] reads the daemon's statistics and has it resync, commit, flush or purge.
// Make it with [NewClient] and the socket's path; every call has a deadline, because
// the daemon serves one client at a time.
// It knows neither the configuration file nor what the numbers mean for the sync.
package control
