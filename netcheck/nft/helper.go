package nft

import (
	"context"
	"fmt"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// Attributes of an nftables object (linux/netfilter/nf_tables.h).
const (
	objectTable, objectType, objectData, objectUse = 1, 3, 4, 5
	objectCtHelper                                 = 3 // a type
	ctHelperName                                   = 1 // in the data of that type
)

// Helpers are the names of the conntrack helpers of "ct helper" objects that a rule or a
// map refers to.
func Helpers(ctx context.Context) ([]string, error) {
	off, err := dormant(ctx)
	if Unsupported(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list nftables tables: %w", err)
	}
	answers, err := ask(ctx, unix.NFT_MSG_GETOBJ, nftables.TableFamilyUnspecified, unix.NLM_F_DUMP)
	if err != nil {
		return nil, fmt.Errorf("list nftables objects: %w", err)
	}
	var names []string
	for _, a := range answers {
		in, kind, used, name := table{family: a.family}, uint64(0), uint64(0), ""
		for _, attr := range a.attributes {
			switch attr.Attr.Type {
			case objectTable:
				in.name = textOf(attr.Value)
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
		if kind == objectCtHelper && used > 0 && !off[in] && name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}
