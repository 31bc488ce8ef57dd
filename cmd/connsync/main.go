// Command connsync configures conntrackd's connection sync between two nodes.
package main

func main() {}
