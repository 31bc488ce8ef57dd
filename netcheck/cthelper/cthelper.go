// Package cthelper names the conntrack helpers that the rules of this host assign.
package cthelper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"

	"connsync/netcheck/legacy"
	"connsync/netcheck/nft"
)

// Names returns the names of the conntrack helpers that the rules of the
// calling thread's network namespace assign to connections, in order, and
// those which such a helper hands over to. It needs CAP_NET_ADMIN. With an error,
// the names are those that could be seen.
func Names(ctx context.Context) ([]string, error) {
	var names []string
	var errs []error
	for _, read := range []func(context.Context) ([]string, error){nft.Helpers, targetHelpers, legacyHelpers, automaticHelpers} {
		found, err := read(ctx)
		names = append(names, found...)
		errs = append(errs, err)
	}
	// A call of H.323 goes from one helper to the next.
	for _, next := range [][2]string{{"RAS", "Q.931"}, {"Q.931", "H.245"}} {
		if slices.Contains(names, next[0]) {
			names = append(names, next[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names), errors.Join(errs...)
}

// targetHelpers are those of iptables' target CT in the kernel's nftables. The
// kernel takes it in the table raw alone.
func targetHelpers(ctx context.Context) ([]string, error) {
	chains, err := nft.Chains(ctx)
	if nft.Unsupported(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list nftables chains: %w", err)
	}
	var names []string
	for _, c := range chains {
		if c.Table != "raw" || c.Family != nftables.TableFamilyIPv4 && c.Family != nftables.TableFamilyIPv6 {
			continue
		}
		rules, err := nft.Rules(ctx, c.Family, c.Table, c.Name)
		if err != nil {
			return nil, fmt.Errorf("list the rules of chain %s of table %s: %w", c.Name, c.Table, err)
		}
		for _, r := range rules {
			for _, e := range r.Exprs {
				if target, ok := e.Decoded.(*expr.Target); ok && target.Name == "CT" {
					names = append(names, targetHelper(target)...)
				}
			}
		}
	}
	return names, nil
}

// targetHelper is the name in the data of a target CT, which begins alike in all
// its revisions (struct xt_ct_target_info).
func targetHelper(target *expr.Target) []string {
	const from, to = 12, 28
	info, ok := target.Info.(*xt.Unknown)
	if !ok || len(*info) < to {
		return nil
	}
	if name, _, _ := bytes.Cut((*info)[from:to], []byte{0}); len(name) > 0 {
		return []string{string(name)}
	}
	return nil
}

// legacyHelpers are those of the same target in the kernel's older tables.
func legacyHelpers(ctx context.Context) ([]string, error) {
	var names []string
	var errs []error
	for _, family := range []int{4, 6} {
		for _, t := range legacy.Read(ctx, family) {
			if t.Name != "raw" && t.Name != "?" {
				continue
			}
			if t.Err != nil {
				errs = append(errs, fmt.Errorf("list the rules of table %s: %w", t.Name, t.Err))
			}
			for _, c := range t.Chains {
				names = append(names, savedHelpers(c.Rules)...)
			}
		}
	}
	return names, errors.Join(errs...)
}

// savedHelpers are those that iptables-save prints behind "-j CT". A match has an
// option of the same name.
func savedHelpers(rules [][]string) (names []string) {
	for _, words := range rules {
		target := slices.Index(words, "CT")
		if target < 0 {
			continue
		}
		if at := slices.Index(words[target:], "--helper"); at >= 0 && target+at+1 < len(words) {
			names = append(names, words[target+at+1])
		}
	}
	return names
}

// automaticHelpers are those of the modules that are loaded, where an older
// kernel is told to assign them by port.
func automaticHelpers(context.Context) ([]string, error) {
	told, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_helper")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read whether helpers are assigned by port: %w", err)
	}
	if strings.TrimSpace(string(told)) != "1" {
		return nil, nil
	}
	return moduleHelpers("/sys/module"), nil
}

func moduleHelpers(dir string) (names []string) {
	for module, helper := range map[string]string{
		"amanda": "amanda", "ftp": "ftp", "h323": "RAS", "irc": "irc", "netbios_ns": "netbios-ns", "pptp": "pptp",
		"sane": "sane", "sip": "sip", "snmp": "snmp", "tftp": "tftp",
	} {
		if _, err := os.Stat(filepath.Join(dir, "nf_conntrack_"+module)); err == nil {
			names = append(names, helper)
		}
	}
	return names
}
