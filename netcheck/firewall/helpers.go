package firewall

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
	"golang.org/x/sys/unix"
)

// Helpers returns the names of the conntrack helpers that the rules of the
// calling thread's network namespace assign to connections, in order, and
// those which such a helper hands over to. It needs CAP_NET_ADMIN. With an error,
// the names are those that could be seen.
func Helpers(ctx context.Context) ([]string, error) {
	var names []string
	var errs []error
	for _, read := range []func(context.Context) ([]string, error){objectHelpers, targetHelpers, legacyHelpers, automaticHelpers} {
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

// Attributes of an nftables object (linux/netfilter/nf_tables.h).
const (
	objectTable, objectType, objectData, objectUse = 1, 3, 4, 5
	objectCtHelper                                 = 3 // a type
	ctHelperName                                   = 1 // in the data of that type
)

// objectHelpers are those of "ct helper" objects that a rule or a map refers to.
func objectHelpers(ctx context.Context) ([]string, error) {
	off, err := readDormant(ctx)
	if unsupported(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list nftables tables: %w", err)
	}
	answers, err := askNft(ctx, unix.NFT_MSG_GETOBJ, nftables.TableFamilyUnspecified, unix.NLM_F_DUMP)
	if err != nil {
		return nil, fmt.Errorf("list nftables objects: %w", err)
	}
	var names []string
	for _, a := range answers {
		table, kind, used, name := nftTable{family: a.family}, uint64(0), uint64(0), ""
		for _, attr := range a.attributes {
			switch attr.Attr.Type {
			case objectTable:
				table.name = textOf(attr.Value)
			case objectType:
				kind = number(attr.Value)
			case objectUse:
				used = number(attr.Value)
			case objectData:
				list, err := attributes(attr.Value)
				if err != nil {
					return nil, err
				}
				for _, part := range list {
					if part.Attr.Type == ctHelperName {
						name = textOf(part.Value)
					}
				}
			}
		}
		if kind == objectCtHelper && used > 0 && !off[table] && name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// targetHelpers are those of iptables' target CT in the kernel's nftables. The
// kernel takes it in the table raw alone.
func targetHelpers(ctx context.Context) ([]string, error) {
	chains, err := readChains(ctx)
	if unsupported(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list nftables chains: %w", err)
	}
	var names []string
	for _, c := range chains {
		if c.table != "raw" || c.family != nftables.TableFamilyIPv4 && c.family != nftables.TableFamilyIPv6 {
			continue
		}
		rules, err := readRules(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("list the rules of %s: %w", c, err)
		}
		for _, r := range rules {
			for _, e := range r.(*nftRule).exprs {
				if target, ok := e.decoded.(*expr.Target); ok && target.Name == "CT" {
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
		_, chains := readLegacy(ctx, family)
		for name, saved := range chains {
			if name.table != "raw" && name.table != "?" {
				continue
			}
			if saved.err != nil {
				errs = append(errs, fmt.Errorf("list the rules of table %s: %w", name.table, saved.err))
			}
			names = append(names, savedHelpers(saved.rules)...)
		}
	}
	return names, errors.Join(errs...)
}

// savedHelpers are those that iptables-save prints behind "-j CT". A match has an
// option of the same name.
func savedHelpers(rules []rule) (names []string) {
	for _, r := range rules {
		words := r.(legacyRule)
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
