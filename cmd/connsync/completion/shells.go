package completion

import "github.com/spf13/cobra"

// shellHelp is the help of each shell's script. A shell that is not here is none of
// Linux.
var shellHelp = map[string]struct{ long, example string }{
	"bash": {`bash prints the script that completes connsync's commands, flags and values in
bash. It works without the package bash-completion too.`,
		"  source <(connsync completion bash)\n  connsync completion bash >/etc/bash_completion.d/connsync"},
	"zsh": {`zsh prints the script that completes connsync's commands, flags and values in
zsh.`,
		"  source <(connsync completion zsh)\n  connsync completion zsh >/usr/local/share/zsh/site-functions/_connsync"},
	"fish": {`fish prints the script that completes connsync's commands, flags and values in
fish.`,
		"  connsync completion fish | source\n  connsync completion fish >~/.config/fish/completions/connsync.fish"},
}

// statuses are the exit statuses of a command that prints.
const statuses = "\n\nExit status: 0 done, 1 the output could not be written, 64 wrong usage."

// OnLinux leaves cobra's command for completions with the shells of Linux, and says of
// each what it prints and how to use that.
func OnLinux(cmd *cobra.Command) {
	cmd.Short = "Print the completion script for bash, zsh or fish"
	cmd.Long = `completion prints a script with which a shell completes connsync's commands, flags
and values: interfaces, roles, numbers of saves. The packages install all three.` + statuses
	cmd.Example = "  source <(connsync completion bash)"
	for _, shell := range cmd.Commands() {
		help, ok := shellHelp[shell.Name()]
		if !ok {
			cmd.RemoveCommand(shell)
			continue
		}
		shell.Short, shell.Long, shell.Example = "Print the completion script for "+shell.Name(), help.long+statuses, help.example
		if shell.Name() == "bash" {
			shell.RunE = func(cmd *cobra.Command, _ []string) error {
				bare, err := cmd.Flags().GetBool("no-descriptions")
				if err != nil {
					return err
				}
				return WriteBash(cmd.OutOrStdout(), cmd.Root(), !bare)
			}
		}
		if bare := shell.Flags().Lookup("no-descriptions"); bare != nil {
			bare.Usage = "offer the words alone, without what each means"
		}
	}
}
