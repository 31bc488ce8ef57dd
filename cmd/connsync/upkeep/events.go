package upkeep

import (
	"fmt"

	"github.com/spf13/cobra"

	"connsync/tui/text"
)

const eventsHelp = `events lists what has happened to the sync of this node, the newest first: every
change of verdict, save, rollback and call of connsync failover, and every start
and end of conntrackd, with its time.

Saves come from the history, failovers from failover.log, and starts of conntrackd
from the journal, its log file and the recorded verdicts. A change of verdict is
recorded only while the form is open, connsync status --watch or connsync refresh
--every runs, or the metrics timer is enabled. A change that was reversed between two
readings is not recorded.

Exit status: 0 listed, 1 failed, 2 a record could not be read, 64 wrong usage.`

// NewEvents returns the command events.
func NewEvents(h Host) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "events",
		Short:   "List what has happened to the sync, the newest first",
		Long:    eventsHelp,
		Example: "  connsync events\n  connsync events --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := h.Open(cmd.Context())
			if err != nil {
				return err
			}
			log := n.Events(cmd.Context())
			if asJSON {
				err = h.PrintJSON(text.NewEventsReport(log))
			} else {
				_, err = fmt.Fprint(h.Out, text.EventsText(log))
			}
			if err == nil && len(log.Unread) > 0 {
				err = h.Unknown()
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
