// Package pairtest gives tests two nodes with a sync link: each is a network
// namespace and a directory in which a real conntrackd runs.
package pairtest
