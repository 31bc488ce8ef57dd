// Package completion offers a shell the values of connsync's flags and arguments.
package completion

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"connsync/conntrackd"
	"connsync/conntrackd/apply"
	"connsync/conntrackd/failover"
	"connsync/conntrackd/service"
	"connsync/netcheck"
	"connsync/node"
	"connsync/tui/text"
)

// completionTime is the most that a shell waits for what it offers.
const completionTime = time.Second

// History lists the kept saves, the newest first.
type History func() ([]apply.Entry, error)

// Complete gives every flag and argument of root the values that a shell offers
// for it, each with what it is. Files are offered for the flags that take one alone. formats
// are those of status; the settings with words of their own offer these.
func Complete(root *cobra.Command, t conntrackd.SettingTable, formats []string, saves History) {
	flags := map[string]cobra.CompletionFunc{
		"interface":    completeInterfaces,
		"service":      completeWords(service.Choices()),
		"application":  completeWords(node.Applications()),
		"runtime-dir":  completeDirectories,
		"state-dir":    completeDirectories,
		"format":       completeWords(formats),
		"role":         completeForwarding,
		"default-link": completeInterfaces,
		"diff":         saves.complete,
		"forget":       saves.complete,
	}
	for _, e := range t {
		if e.Usage != "" && len(e.Words) > 0 {
			words := slices.Clone(e.Words)
			if e.Kind == conntrackd.ListSetting {
				words = append(words, conntrackd.DefaultWord)
			}
			flags[e.Field.Flag()] = completeWords(words)
		}
	}
	arguments := map[string]cobra.CompletionFunc{
		"failover": completeRoles,
		"rollback": saves.complete,
	}
	register := func(cmd *cobra.Command) {
		for name, values := range flags {
			if cmd.LocalFlags().Lookup(name) != nil {
				_ = cmd.RegisterFlagCompletionFunc(name, values) // fails where it is registered already
			}
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if value, _ := pflag.UnquoteUsage(f); value != "file" {
				_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions) // as above
			}
		})
	}
	register(root)
	root.ValidArgsFunction = commandsBehindFlags
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			continue
		}
		register(cmd)
		cmd.ValidArgsFunction = cobra.NoFileCompletions
		if values, ok := arguments[cmd.Name()]; ok {
			cmd.ValidArgsFunction = first(values)
		}
	}
}

// commandsBehindFlags offers the commands where switches of theirs stand before them: cobra
// does so only where none does.
func commandsBehindFlags(root *cobra.Command, args []string, typed string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
	switches := 0
	root.Flags().Visit(func(f *pflag.Flag) {
		if root.PersistentFlags().Lookup(f.Name) == nil {
			switches++
		}
	})
	for _, c := range root.Commands() {
		if len(args) == 0 && switches > 0 && c.IsAvailableCommand() && strings.HasPrefix(c.Name(), typed) {
			names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// first offers values for the first argument alone.
func first(values cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return values(cmd, args, typed)
	}
}

func completeWords(words []string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

func completeDirectories(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

func completeRoles(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	meaning := map[failover.Role]string{
		failover.RolePrimary: "this node takes over the connections",
		failover.RoleBackup:  "the peer takes over the connections",
		failover.RoleFault:   "this node is faulty",
	}
	var roles []cobra.Completion
	for _, r := range failover.Roles() {
		roles = append(roles, cobra.CompletionWithDesc(string(r), meaning[r]))
	}
	return roles, cobra.ShellCompDirectiveNoFileComp
}

func completeForwarding(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{
		cobra.CompletionWithDesc(string(node.RolePrimaryBackup), "one node at a time forwards"),
		cobra.CompletionWithDesc(string(node.RoleBothActive), "both nodes forward"),
	}, cobra.ShellCompDirectiveNoFileComp
}

// completeInterfaces offers those that can be chosen, with what the picker says
// of them.
func completeInterfaces(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(contextOf(cmd), completionTime)
	defer cancel()
	all, err := netcheck.Interfaces(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []cobra.Completion
	for _, i := range all {
		if i.Loopback || conntrackd.CheckInterfaceName(i.Name) != nil {
			continue
		}
		var addresses []string
		for _, a := range i.Addresses {
			addresses = append(addresses, a.String())
		}
		names = append(names, cobra.CompletionWithDesc(i.Name, strings.TrimSpace(text.LinkWord(i)+" "+strings.Join(addresses, " "))))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// complete offers the numbers of the kept saves, the newest first.
func (h History) complete(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	entries, err := h()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var numbers []cobra.Completion
	for _, e := range entries {
		lines := text.EntryLines(e)
		what := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(lines[0]), strconv.Itoa(e.Number)))
		numbers = append(numbers, cobra.CompletionWithDesc(strconv.Itoa(e.Number), strings.Join(strings.Fields(what), " ")))
	}
	return numbers, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

func contextOf(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// bashFallback gives what the package bash-completion has to a shell without it.
// Words are those of bash then: one that holds a colon is several.
const bashFallback = `if ! declare -F _get_comp_words_by_ref >/dev/null; then
_get_comp_words_by_ref()
{
    cur=${COMP_WORDS[COMP_CWORD]}
    prev=${COMP_WORDS[COMP_CWORD-1]}
    words=("${COMP_WORDS[@]}")
    cword=$COMP_CWORD
}
fi
if ! declare -F __ltrim_colon_completions >/dev/null; then
__ltrim_colon_completions() { :; }
fi

`

// WriteBash writes the script for bash, which works where
// bash-completion is not installed too.
func WriteBash(w io.Writer, root *cobra.Command, described bool) error {
	if _, err := io.WriteString(w, bashFallback); err != nil {
		return err
	}
	return root.GenBashCompletionV2(w, described)
}
