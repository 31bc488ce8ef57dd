package upkeep

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/prepare"
	"connsync/tui/text"
)

const unprepareHelp = `unprepare undoes what apply changed on the host beside
conntrackd.conf, byte for byte: the unit's drop-in, the kernel's setting now and at
boot, logrotate's rule, the refresh and keepalived's hook. It does not touch
conntrackd.conf or the daemon. What somebody else changed since then stays, and is listed.

Exit status: 0 done, 1 something is not as it was before, 64 wrong usage.`

// unprepared is what unprepare --json prints.
type unprepared struct {
	Done  bool           `json:"done"` // false with --dry-run, or when something is not as it was before
	Items []undoneReport `json:"items"`
	Error string         `json:"error,omitempty"`
}

type undoneReport struct {
	ID     prepare.ItemID `json:"id"`
	Path   string         `json:"path"`
	Action string         `json:"action"`
	Left   string         `json:"left_alone"` // why; blank when it is restored
	Error  string         `json:"error,omitempty"`
}

// NewUnprepare returns the command unprepare.
func NewUnprepare(h Host) *cobra.Command {
	var dryRun, asJSON bool
	cmd := &cobra.Command{
		Use:     "unprepare",
		Short:   "Undo what apply changed on the host beside the file",
		Long:    unprepareHelp,
		Example: "  connsync unprepare --dry-run\n  connsync unprepare",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := h.Open(cmd.Context())
			if err != nil {
				return err
			}
			undone, err := c.Preparer().Undo(cmd.Context(), c.RuntimeDir, dryRun)
			report := unpreparedOf(undone, err)
			complete := report.Done
			report.Done = complete && !dryRun
			if asJSON {
				if err := h.PrintJSON(report); err != nil {
					return err
				}
			} else {
				printUnprepared(h.Out, report, dryRun)
			}
			switch {
			case err != nil && !asJSON:
				return err
			case !complete:
				return h.Failed()
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be undone; do nothing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func unpreparedOf(undone []hostfile.Undone, err error) unprepared {
	u := unprepared{Done: err == nil, Items: []undoneReport{}}
	if err != nil {
		u.Error = err.Error()
	}
	for _, i := range undone {
		r := undoneReport{ID: prepare.ItemID(i.Item), Path: i.Path, Action: i.Action, Left: i.Left}
		if i.Err != nil {
			r.Error = i.Err.Error()
		}
		u.Done = u.Done && i.Left == "" && i.Err == nil
		u.Items = append(u.Items, r)
	}
	return u
}

func printUnprepared(w io.Writer, u unprepared, dryRun bool) {
	for _, i := range u.Items {
		word, rest := "done", i.Action
		switch {
		case i.Error != "":
			word, rest = "FAIL", i.Action+": "+i.Error
		case i.Left != "":
			word, rest = "left", "left alone: "+i.Left
		case dryRun:
			word = "would"
		}
		fmt.Fprintf(w, "%-5s  %s: %s\n", word, text.Clean(i.Path), text.Clean(rest))
	}
	switch {
	case u.Error != "":
	case len(u.Items) == 0:
		fmt.Fprintln(w, "The host was not changed: nothing to undo.")
	case dryRun:
		fmt.Fprintln(w, text.NothingChanged)
	case u.Done:
		fmt.Fprintln(w, "The host is as it was before; conntrackd.conf and the service stay as they are.")
	default:
		fmt.Fprintln(w, "Not everything is as it was before.")
	}
}
