// Package node is this host as commands and screens use it: file, service,
// network and the host's own set-up, joined. [Find] a [Node], [Node.Load] what is in
// force, have a change reviewed, and apply it; a [Session] does so for a form.
// Its checks are those that need the daemon and the network together.
// It prints nothing and knows neither flags nor screens.
package node
