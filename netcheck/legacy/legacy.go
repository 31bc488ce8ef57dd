// Package legacy reads the kernel's older tables of rules, which nftables does not show,
// with the programs that print them. A table that cannot be read has an error.
package legacy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"connsync/trust"
)

// Table is one of the older tables.
type Table struct {
	Program string // that prints and changes it, such as iptables-legacy
	Name    string // ? where not even the names of the tables could be read
	Chains  []Chain
	Err     error // why its rules are not known
}

// Chain is a chain of rules, each in the words of iptables-save without its chain.
type Chain struct {
	Name   string
	Policy string // - for a chain that packets do not meet by themselves
	Rules  [][]string
}

// programs prints the kernel's older tables; the second is its name where iptables has
// no other tables.
func programs(family int) (names []string, tables string) {
	if family == 6 {
		return []string{"ip6tables-legacy-save", "ip6tables-save"}, "/proc/thread-self/net/ip6_tables_names"
	}
	return []string{"iptables-legacy-save", "iptables-save"}, "/proc/thread-self/net/ip_tables_names"
}

// Read reads the tables of an address family, 4 or 6, in the network namespace of the
// calling thread.
func Read(ctx context.Context, family int) []Table {
	names, list := programs(family)
	program := strings.TrimSuffix(names[0], "-save")
	loaded, err := os.ReadFile(list)
	switch {
	case errors.Is(err, os.ErrNotExist): // the kernel has no such tables, or none is loaded
		return nil
	case err != nil:
		return []Table{{Program: program, Name: "?", Err: err}}
	}
	var all []Table
	for name := range strings.FieldsSeq(string(loaded)) {
		text, err := save(ctx, names, name)
		t := Table{Program: program, Name: name, Err: err}
		if err == nil {
			t.Chains = Parse(text)
		}
		all = append(all, t)
	}
	return all
}

// ReadBridges reads the tables of bridges, one module each. Where there are rules in one
// they are not known.
func ReadBridges(ctx context.Context, program, modules string) []Table {
	var all []Table
	for _, table := range []string{"broute", "nat", "filter"} {
		if _, err := os.Stat(filepath.Join(modules, "ebtable_"+table)); err != nil {
			continue
		}
		if err := listed(ctx, program, table); err != nil {
			all = append(all, Table{Program: program, Name: table, Err: err})
		}
	}
	return all
}

// ReadARP reads the tables of ARP, whose names are in a file. Where there are rules in one
// they are not known.
func ReadARP(ctx context.Context, program, names string) []Table {
	loaded, err := os.ReadFile(names)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return []Table{{Program: program, Name: "?", Err: err}}
	}
	var all []Table
	for name := range strings.FieldsSeq(string(loaded)) {
		if err := listed(ctx, program, name); err != nil {
			all = append(all, Table{Program: program, Name: name, Err: err})
		}
	}
	return all
}

// listed is nil where a table has no rules, by what its program lists.
func listed(ctx context.Context, program, table string) error {
	out, err := trust.Command(ctx, program, "-t", table, "-L").Output()
	text := string(out)
	switch drops := strings.Contains(text, "policy: DROP") || strings.Contains(text, "(policy DROP"); {
	case err != nil:
		return err
	case strings.Contains(text, "\n-") || drops:
		return fmt.Errorf("rules of %s are not followed", strings.TrimSuffix(filepath.Base(program), "-legacy"))
	}
	return nil
}

func save(ctx context.Context, programs []string, table string) (string, error) {
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
		if err == nil {
			err = errors.New("it shows the tables of nftables")
		}
		failure = errors.Join(failure, fmt.Errorf("%s: %w", name, err))
	}
	return "", failure
}

// Parse reads what iptables-save prints of one table.
func Parse(text string) []Chain {
	var chains []Chain
	places := make(map[string]int)
	for line := range strings.Lines(text) {
		words := shellWords(strings.TrimSpace(line))
		switch {
		case len(words) >= 2 && strings.HasPrefix(words[0], ":"):
			name := words[0][1:]
			places[name] = len(chains)
			chains = append(chains, Chain{Name: name, Policy: words[1]})
		case len(words) >= 2 && words[0] == "-A":
			if at, ok := places[words[1]]; ok {
				chains[at].Rules = append(chains[at].Rules, words[2:])
			}
		}
	}
	return chains
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
