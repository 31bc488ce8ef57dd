package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"connsync/conntrackd"
	"connsync/netcheck/firewall"
	"connsync/node"
	"connsync/plural"
	"connsync/tui/text"
)

const firewallHelp = `firewall prints the rules that admit the sync: datagrams to this node's sync port
from the peer, on the sync interface alone, for the settings in force or the ones
given, and the same for each spare link.
An accept in a table of its own would not help where another chain drops, so the
rules go to the beginning of the host's own chains that do. connsync's own table
exempts the sync from connection tracking and blocks all other hosts from the port.

--install adds them to the running rules and to a file that the host's nftables.conf
includes, after a review. Both are tested first, the file in its own network
namespace, and checked afterwards; if a step fails, everything is rolled back. A
second --install changes nothing. --remove restores the old rules.

Rules of iptables, ufw and firewalld are not changed: those programs load their own
rules and would lose connsync's. For them, connsync prints the commands to run.

Exit status: 0 done, 1 refused or failed, 64 wrong usage.`

type firewallFlags struct {
	settingFlags
	install, remove  bool
	yes, dryRun      bool
	iptables, asJSON bool
	file             string
}

func newFirewall(s streams, g *globals) *cobra.Command {
	f := firewallFlags{settingFlags: settingFlags{table: g.table}}
	cmd := &cobra.Command{
		Use:     "firewall",
		Short:   "Print the firewall rules that admit the sync, or install them",
		Long:    firewallHelp,
		Example: "  connsync firewall\n  connsync firewall --install",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			c, err := openNode(cmd.Context(), *g)
			if err != nil {
				return err
			}
			return c.firewall(cmd, s, f)
		},
	}
	f.registerLink(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.install, "install", false, "activate the rules now, and in the file that nftables.service loads at boot")
	flags.BoolVar(&f.remove, "remove", false, "undo what --install did")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what --install or --remove would do; do nothing")
	flags.BoolVar(&f.iptables, "iptables", false, "print iptables commands instead")
	flags.StringVar(&f.file, "nftables-conf", "", "the `file` that the host's nftables service loads (default: the first that exists of "+strings.Join(node.NftablesFiles(), ", ")+")")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func (f firewallFlags) check() error {
	wrong := func(text string) error { return &exitError{exitUsage, errors.New(text)} }
	switch {
	case f.install && f.remove:
		return wrong("--install and --remove cannot be combined")
	case f.iptables && (f.install || f.remove):
		return wrong("--iptables only prints commands; it cannot be combined with --install or --remove")
	case !f.install && !f.remove && (f.yes || f.dryRun || f.file != ""):
		return wrong("--yes, --dry-run and --nftables-conf need --install or --remove")
	case f.asJSON && (f.install || f.remove) && !f.yes && !f.dryRun:
		return wrong("--json cannot ask: add --yes or --dry-run")
	}
	return nil
}

func (c *cli) firewall(cmd *cobra.Command, s streams, f firewallFlags) error {
	ctx := cmd.Context()
	if f.remove {
		return c.removeFirewall(ctx, s, f)
	}
	saved, err := c.Load(ctx)
	if err != nil {
		return err
	}
	settings, err := f.settings(cmd, saved)
	if err != nil {
		return err
	}
	if !settings.Complete() {
		return nothingTo("admit", settings)
	}
	target := c.FlowOf(ctx, settings)
	if err := target.CheckName(); err != nil {
		return refused("--interface: %w", err)
	}
	if f.install {
		if err := c.Gate(); err != nil {
			return err
		}
		return c.installFirewall(ctx, s, f, target)
	}
	return printFirewall(ctx, s, f, target)
}

// admitted is what firewall --json prints. InForce is null where the
// running rules could not be read.
type admitted struct {
	Interface string             `json:"interface"`
	CurrentIP string             `json:"current_ip"`
	PeerIP    string             `json:"peer_ip"`
	Port      uint16             `json:"port"`
	InForce   *bool              `json:"in_force"`
	Detail    string             `json:"detail"`
	Input     []string           `json:"input"`
	Output    []string           `json:"output"`
	Openings  []firewall.Opening `json:"openings"` // chains of the host that need them now
	Foreign   []firewall.Foreign `json:"foreign"`  // chains of other programs that do
	Nft       string             `json:"nft"`      // a file for nft
	IPTables  []string           `json:"iptables"`

	install string // the command that puts them in place
}

func printFirewall(ctx context.Context, s streams, f firewallFlags, t firewall.Flow) error {
	a := admitted{
		Interface: t.Interface, CurrentIP: t.Current.String(), PeerIP: t.Peer.String(), Port: t.Port,
		Input: accepting(t, true), Output: accepting(t, false), IPTables: t.IPTables(),
		Openings: []firewall.Opening{}, Foreign: []firewall.Foreign{}, install: t.Called.Command("firewall", "--install"),
	}
	now, err := firewall.Read(ctx, t)
	switch {
	case err != nil:
		a.Detail = node.RulesUnreadable(err).Error()
	default:
		inPlace := now.InPlace()
		a.InForce, a.Detail = &inPlace, now.Finding.Detail
		a.Openings, a.Foreign = append(a.Openings, now.Openings...), append(a.Foreign, now.Foreign...)
	}
	a.Nft = t.NftFile(a.Openings)
	switch {
	case f.asJSON:
		return printJSON(s.out, a)
	case f.iptables:
		return sayLines(s.out, a.IPTables)
	}
	return a.print(s.out, t.Where())
}

func accepting(t firewall.Flow, in bool) []string {
	var rules []string
	for _, r := range t.Admits(in) {
		rules = append(rules, r+" accept")
	}
	return rules
}

// hostOf is an address without the length of its prefix.
func hostOf(address string) string {
	host, _, _ := strings.Cut(address, "/")
	return host
}

// print is a file for nft, with what else there is to say in its comments.
func (a admitted) print(w io.Writer, where string) error {
	lines := []string{fmt.Sprintf("# These rules admit %s from %s on %s, and from no other host.", where, hostOf(a.PeerIP), a.Interface), ""}
	lines = append(lines, strings.Split(strings.TrimSuffix(a.Nft, "\n"), "\n")...)
	if len(a.Openings) == 0 {
		lines = append(lines, "", "# No nftables chain is known to drop the sync now. In a chain that does, before its own rules:", "# in")
		for _, r := range a.Input {
			lines = append(lines, "#   "+r)
		}
		lines = append(lines, "# out")
		for _, r := range a.Output {
			lines = append(lines, "#   "+r)
		}
	}
	for _, o := range a.Foreign {
		lines = append(lines, "", "# "+text.Clean(fmt.Sprintf("%s is managed by %s (%s). Run:", o.Chain, o.Manager, o.Why)))
		for _, c := range o.Commands {
			lines = append(lines, "#   "+c)
		}
	}
	state := "In force here: no; " + text.Clean(a.install) + " activates them."
	switch {
	case a.InForce == nil:
		state = "In force here: unknown, " + a.Detail + "."
	case *a.InForce:
		state = "In force here: yes."
	}
	return sayLines(w, append(lines, "", "# "+text.Clean(state)))
}

// confirmHint says how a script does without the question.
const confirmHint = "--yes agrees, --dry-run shows what would be done"

// confirm asks at the terminal. Without one it refuses with the hint: a script
// says --yes.
func confirm(ctx context.Context, s streams, question, hint string) error {
	if !isTerminal(s.in) {
		return &exitError{exitUsage, errors.New("no terminal to ask on: " + hint)}
	}
	fmt.Fprint(s.out, question+" [y/N]: ")
	agreed := make(chan bool, 1)
	go func() {
		// The whole line: what is left of it, the shell would run. One without an end is a no.
		line, err := bufio.NewReader(s.in).ReadString('\n')
		agreed <- err == nil && slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(line)))
	}()
	select {
	case yes := <-agreed:
		if yes {
			return nil
		}
	case <-ctx.Done():
		fmt.Fprintln(s.out)
	}
	return refused("nothing was changed")
}

// giveMissing says which flags give what the settings lack of a link.
func giveMissing(s conntrackd.Settings) string {
	var flags []string
	for _, f := range s.Missing() {
		flags = append(flags, "--"+f.Flag())
	}
	return "give " + plural.List(flags)
}

// nothingTo is the refusal of a command that lacks the settings it works on.
func nothingTo(to string, s conntrackd.Settings) error {
	return refused("nothing to %s: the settings of the sync link are incomplete; %s", to, giveMissing(s))
}

// registerLink registers the settings that say who talks to whom.
func (f *settingFlags) registerLink(cmd *cobra.Command) {
	f.registerValues(cmd, conntrackd.FieldInterface, conntrackd.FieldCurrentIP, conntrackd.FieldPeerIP, conntrackd.FieldPort, conntrackd.FieldSpareLinks, conntrackd.FieldTransport, conntrackd.FieldMulticastGroup)
}

// cleanLines makes a text from outside fit for a terminal, line by line.
func cleanLines(all string) []string {
	lines := strings.Split(strings.TrimSuffix(all, "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.Repeat(" ", len(l)-len(strings.TrimLeft(l, " \t"))) + text.Clean(strings.TrimLeft(l, " \t"))
	}
	return lines
}

func (c *cli) installFirewall(ctx context.Context, s streams, f firewallFlags, t firewall.Flow) error {
	plan := func() (*node.FirewallChange, error) { return c.PlanFirewall(ctx, f.file, t) }
	return c.changeFirewall(ctx, s, f, "Install these rules?", plan, (*node.FirewallChange).Install)
}

// removeFirewall takes away what --install has done.
func (c *cli) removeFirewall(ctx context.Context, s streams, f firewallFlags) error {
	plan := func() (*node.FirewallChange, error) { return c.PlanFirewallRemoval(ctx, f.file) }
	return c.changeFirewall(ctx, s, f, "Remove these rules?", plan, (*node.FirewallChange).Remove)
}

func (c *cli) changeFirewall(ctx context.Context, s streams, f firewallFlags, question string,
	plan func() (*node.FirewallChange, error), carryOut func(*node.FirewallChange, context.Context) error,
) error {
	unlock, err := c.LockForWriting(f.dryRun)
	if err != nil {
		return err
	}
	defer func() { unlock() }()
	change, err := plan()
	if err != nil || !change.Needed() || f.dryRun {
		return reportFirewall(change, s, f, nil, err)
	}
	if !f.yes {
		shown := firewallReview(change)
		fmt.Fprint(s.out, shown)
		if unlock, err = c.confirmUnlocked(ctx, s, unlock, question, confirmHint); err != nil {
			return err
		}
		if change, err = plan(); err != nil {
			return reportFirewall(change, s, f, nil, err)
		}
		if firewallReview(change) != shown {
			return errChangedMeanwhile()
		}
	}
	// What has begun ends, in whatever way.
	err = carryOut(change, context.WithoutCancel(ctx))
	unlock() // whatever the line takes
	return reportFirewall(change, s, f, err, nil)
}

// confirmUnlocked is confirm without the writer lock, so that others can save while a
// person reads, and takes the lock again. What was shown may have changed by then.
func (c *cli) confirmUnlocked(ctx context.Context, s streams, unlock func(), question, hint string) (func(), error) {
	unlock()
	if err := confirm(ctx, s, question, hint); err != nil {
		return unlock, err
	}
	again, err := c.LockForWriting(false)
	if err != nil {
		return unlock, err
	}
	return again, nil
}

// errChangedMeanwhile is the refusal of what was not shown to the person who agreed.
func errChangedMeanwhile() error {
	return refused("what was shown has changed since; nothing was changed: run the command again")
}
