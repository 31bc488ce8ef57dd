// Package fromfile reads the file of --from: the settings of a node as show
// --json prints them, in JSON or YAML. Read takes it from a file or a pipe, Over
// puts its values over the saved ones. Every problem names file and line. It
// will not know what a value has to be like: the table of settings does.
package fromfile
