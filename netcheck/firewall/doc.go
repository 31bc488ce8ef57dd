// Package firewall reads the rules of this host and says what they do to the sync.
// A [Flow] is what the rules are asked about; [Read] follows it through those that
// run, [Try] through those that a text would load. [Effect] has the rules to add.
// It loads rules only into namespaces of its own, unless [RunNft] is told to.
// It knows neither the settings' file nor who may change the rules.
package firewall
