//go:build manual

package main

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"connsync/cmd/connsync/completion"
	"connsync/cmd/connsync/manpage"
	"connsync/conntrackd"
)

// manualCommands is what the build of the packages has beside the commands: one
// that writes the man pages and the completions from them, in the directory of the
// source. The product carries no renderer for that.
func manualCommands() []*cobra.Command {
	return []*cobra.Command{{
		Use:    "manual DIRECTORY",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(cmd *cobra.Command, args []string) error { return writeManual(cmd.Root(), args[0]) },
	}}
}

func writeManual(root *cobra.Command, dir string) error {
	source := manpage.Source{Table: conntrackd.NewSettingTable(), Docs: "docs", Version: version()}
	if err := source.Write(root, dir); err != nil {
		return err
	}
	var bash bytes.Buffer
	if err := completion.WriteBash(&bash, root, true); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "connsync.bash"), bash.Bytes(), 0o644); err != nil {
		return err
	}
	if err := root.GenZshCompletionFile(filepath.Join(dir, "connsync.zsh")); err != nil {
		return err
	}
	return root.GenFishCompletionFile(filepath.Join(dir, "connsync.fish"), true)
}
