// Package typed reads what a person types for a setting: an address, a port, a
// buffer size, a switch. [Address], [Port], [BufferSize], [Enabled] and [Switch]
// return the value, or a problem: one sentence that names the rule and what to type
// instead, and blank where there is none.
// It knows no settings, no file and no host.
package typed
