package firewall

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"connsync/trust"
)

// savedRules is a chain's rules, or why they are not known.
type savedRules struct {
	rules []rule
	err   error
}

// legacyPrograms prints the kernel's older tables; the second is its name where
// iptables has no other tables.
func legacyPrograms(family int) (names []string, tables string) {
	if family == 6 {
		return []string{"ip6tables-legacy-save", "ip6tables-save"}, "/proc/thread-self/net/ip6_tables_names"
	}
	return []string{"iptables-legacy-save", "iptables-save"}, "/proc/thread-self/net/ip_tables_names"
}

// readLegacy reads the kernel's older tables, which nftables does not show. A
// table that cannot be read is a chain whose rules have an error.
func readLegacy(ctx context.Context, family int) ([]*chain, map[chainName]savedRules) {
	programs, names := legacyPrograms(family)
	program := strings.TrimSuffix(programs[0], "-save")
	tables, err := os.ReadFile(names)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil // the kernel has no such tables, or none is loaded
	case err == nil && strings.TrimSpace(string(tables)) == "":
		return nil, nil
	case err != nil:
		return unreadable(family, program, "?", err)
	}
	var chains []*chain
	all := make(map[chainName]savedRules)
	for table := range strings.FieldsSeq(string(tables)) {
		text, err := saveTable(ctx, programs, table)
		list, rules := parseLegacy(family, program, table, text)
		if err != nil {
			list, rules = unreadable(family, program, table, err)
		}
		chains = append(chains, list...)
		for k, v := range rules {
			all[k] = v
		}
	}
	return chains, all
}

// readBridgeLegacy reads the kernel's older tables of bridges, one module each. Where
// there are rules in one, it is a chain whose rules are not known.
func readBridgeLegacy(ctx context.Context, program, modules string) ([]*chain, map[chainName]savedRules) {
	var chains []*chain
	all := make(map[chainName]savedRules)
	for _, table := range []string{"broute", "nat", "filter"} {
		if _, err := os.Stat(filepath.Join(modules, "ebtable_"+table)); err != nil {
			continue
		}
		out, err := trust.Command(ctx, program, "-t", table, "-L").Output()
		switch text := string(out); {
		case err == nil && !strings.Contains(text, "\n-") && !strings.Contains(text, "policy: DROP"):
			continue
		case err == nil:
			err = errors.New("rules of ebtables are not followed")
		}
		list, rules := unreadable(unix.NFPROTO_BRIDGE, program, table, err)
		chains = append(chains, list...)
		maps.Copy(all, rules)
	}
	return chains, all
}

func unreadable(family int, program, table string, err error) ([]*chain, map[chainName]savedRules) {
	var chains []*chain
	all := make(map[chainName]savedRules)
	for _, name := range []string{"INPUT", "OUTPUT"} {
		c := legacyChain(family, program, table, name)
		chains = append(chains, c)
		all[c.key()] = savedRules{err: err}
	}
	return chains, all
}

func saveTable(ctx context.Context, programs []string, table string) (string, error) {
	var failure error
	for _, name := range programs {
		out, err := trust.Command(ctx, name, "-t", table).Output()
		var ended *exec.ExitError
		if errors.As(err, &ended) && len(ended.Stderr) > 0 {
			err = fmt.Errorf("%w: %s", err, strings.Join(strings.Fields(string(ended.Stderr)), " "))
		}
		// A program for nftables' tables under the second name says so and
		// shows others than those that are asked for.
		if err == nil && !strings.Contains(string(out), "nf_tables") {
			return string(out), nil
		}
		failure = errors.Join(failure, fmt.Errorf("%s: %w", name, cmpErr(err, errors.New("it shows the tables of nftables"))))
	}
	return "", failure
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// legacyChain is a chain of the older tables; the built-in ones are base
// chains.
func legacyChain(family int, program, table, name string) *chain {
	c := &chain{family: nftables.TableFamilyIPv4, table: table, name: name, program: program, kind: "filter"}
	switch family {
	case 6:
		c.family = nftables.TableFamilyIPv6
	case unix.NFPROTO_BRIDGE:
		c.family = nftables.TableFamilyBridge
	}
	hook := slices.Index([]string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}, name)
	c.base = hook >= 0
	c.hook = uint32(max(hook, 0))
	c.priority = map[string]int32{"raw": -300, "mangle": -150, "nat": -100, "security": 50}[table]
	if table == "nat" {
		c.kind = "nat"
		if name == "INPUT" || name == "POSTROUTING" { // where it rewrites the source
			c.priority = 100
		}
	}
	return c
}

// parseLegacy reads what iptables-save prints of one table.
func parseLegacy(family int, program, table, text string) ([]*chain, map[chainName]savedRules) {
	var chains []*chain
	rules := make(map[chainName]savedRules)
	byName := make(map[string]*chain)
	for line := range strings.Lines(text) {
		words := shellWords(strings.TrimSpace(line))
		switch {
		case len(words) >= 2 && strings.HasPrefix(words[0], ":"):
			c := legacyChain(family, program, table, words[0][1:])
			c.base = c.base && words[1] != "-"
			c.dropPolicy = words[1] == "DROP"
			chains, byName[c.name] = append(chains, c), c
		case len(words) >= 2 && words[0] == "-A" && byName[words[1]] != nil:
			key := byName[words[1]].key()
			l := rules[key]
			l.rules = append(l.rules, legacyRule(words[2:]))
			rules[key] = l
		}
	}
	return chains, rules
}

// shellWords splits a line of iptables-save, which puts a word with blanks in
// double quotes.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	quoted, any := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && quoted && i+1 < len(line):
			i++
			word.WriteByte(line[i])
		case c == '"':
			quoted, any = !quoted, true
		case c == ' ' && !quoted:
			if any {
				words = append(words, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteByte(c)
			any = true
		}
	}
	if any {
		words = append(words, word.String())
	}
	return words
}
