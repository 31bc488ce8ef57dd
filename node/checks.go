package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"connsync/conntrackd"
	"connsync/conntrackd/hostfile"
	"connsync/conntrackd/service"
	"connsync/conntrackd/trial"
	"connsync/netcheck"
	"connsync/netcheck/check"
	"connsync/netcheck/firewall"
	"connsync/netcheck/spare"
	"connsync/node/candidates"
	"connsync/node/install"
	"connsync/shell"
)

// The checks that need to know the daemon; the others are netcheck's.
const (
	checkApplication  check.ID = "application"
	checkNameReadable check.ID = "name-readable"
	checkDaemon       check.ID = "daemon"
	checkDaemonLint   check.ID = "daemon-lint"
)

// asRoot is the remedy where something could not be seen: to be root, unless root it is
// and the cause another one.
func asRoot(err error) string {
	var cause *hostfile.CauseError
	switch {
	case os.Geteuid() != 0:
		return "run connsync as root"
	case errors.As(err, &cause):
		return cause.Remedy
	case errors.Is(err, fs.ErrPermission):
		return "start connsync with all capabilities of root, of which this process lacks some (grep Cap /proc/self/status)"
	}
	return ""
}

// flowOf is one link of the sync, as the network sees it.
func flowOf(s conntrackd.Settings) firewall.Flow {
	return firewall.Flow{Interface: s.Interface, Current: s.Current, Peer: s.Peer, Port: s.Port, Group: s.Group()}
}

// FlowOf is the sync of the settings with their spare links, as the network sees it.
func (n *Node) FlowOf(ctx context.Context, s conntrackd.Settings) firewall.Flow {
	flow := flowOf(s)
	flow.Called = n.Called
	for _, l := range n.withPrefixes(ctx, s).Spares() {
		flow.Spares = append(flow.Spares, flowOf(l))
	}
	return flow
}

// Plan joins netcheck's plan with the daemon's own checks, so that neither
// package has to know the other.
func (n *Node) Plan(ctx context.Context, settings conntrackd.Settings, firstNode bool) []check.Check {
	target := netcheck.Target{Flow: n.FlowOf(ctx, settings), FirstNode: firstNode, Enabled: settings.Enabled}
	// Those that cannot be read are told with the candidate and by the hook's check.
	target.Virtual, _ = virtualAddresses()
	state, err := n.Service.State(ctx)
	if err != nil && !n.Unmanaged() {
		// Nobody is to be told to kill the daemon that runs with our file,
		// because its service cannot be asked just now.
		state, err = (&service.Direct{Config: n.Config}).State(ctx)
	}
	if err == nil && state.MainPID != 0 {
		target.DaemonPIDs = []int{state.MainPID}
	}
	checks := []check.Check{n.inPlace(), nameReadable(settings.Interface)}
	checks = append(checks, n.refined(settings, target.Flow, netcheck.Plan(target))...)
	settings = withUsualLengths(settings) // for a file; what is not known is another check's
	checks = append(checks, spare.Open(target), spare.Reach(target), n.daemon(), n.daemonLint(settings), n.failoverHook(settings), n.failoverTiming(settings))
	return append(checks, n.hostChecks(settings)...)
}

// refined are the checks with what netcheck cannot know: whether connsync's own rules can
// be installed, which connections pass through an interface, and the settings that a
// command has to give again.
func (n *Node) refined(settings conntrackd.Settings, flow firewall.Flow, checks []check.Check) []check.Check {
	for i, c := range checks {
		checks[i].Run = func(ctx context.Context) check.Finding {
			f := c.Run(ctx)
			switch {
			case c.ID == netcheck.CheckFirewall && f.Mend == check.MendFirewall:
				if _, err := n.PlanFirewall(ctx, "", flow); err != nil && ctx.Err() == nil {
					f.Mend, f.Remedy = "", flow.PrintCommand()
					f.Detail += "; connsync cannot install its rules: " + err.Error()
				}
			case c.ID == netcheck.CheckFirewall && f.Status == check.Passed:
				return n.atBoot(ctx, f)
			case c.ID == netcheck.CheckDedicated && f.Status == check.Passed:
				return candidates.Shared(ctx, flow, f)
			case strings.HasPrefix(f.Remedy, "connsync apply ") && strings.Contains(f.Remedy, " --current-ip "):
				f.Remedy += n.otherFlags(ctx, settings)
			}
			return f
		}
	}
	return checks
}

// otherFlags are those of the settings beside the interface and the addresses that differ
// from the saved ones.
func (n *Node) otherFlags(ctx context.Context, settings conntrackd.Settings) string {
	saved, err := n.Load(ctx)
	if err != nil {
		return ""
	}
	flags := ""
	for _, d := range conntrackd.NewSettingTable().Differences(saved.Settings, settings) {
		switch d.Setting {
		case conntrackd.FieldInterface, conntrackd.FieldCurrentIP, conntrackd.FieldPeerIP:
		default:
			if d.To != "" {
				flags += " " + shell.Line("--"+d.Setting.Flag(), d.To)
			}
		}
	}
	return flags
}

// inPlace asks whether this appliance is one with connection sync.
func (n *Node) inPlace() check.Check {
	return check.Check{
		ID: checkApplication, Title: "Application allows sync", Severity: check.Blocker,
		Run: func(ctx context.Context) check.Finding {
			a, err := n.Appliance()
			switch {
			case err != nil && a.Word == "" && errors.Is(err, fs.ErrPermission):
				return check.Finding{Status: check.Unknown, Detail: err.Error(), Err: err, Remedy: asRoot(err)}
			case err != nil:
				return check.Finding{Status: check.Failed, Detail: err.Error(), Err: err, Remedy: "echo " + syncApplication + " >" + ApplicationFile}
			case a.Word == "":
				return check.Finding{Status: check.Passed, Detail: "no application file, treated as an ordinary host"}
			case a.Reason() == "":
				return check.Finding{Status: check.Passed, Detail: "it is " + a.Word + " (" + a.Source + ")"}
			}
			f := check.Finding{Status: check.Failed, Detail: a.Reason()}
			if s, err := n.Load(ctx); err == nil && s.SyncOn() {
				f.Detail += "; " + enabledAllTheSame
				f.Remedy = n.Called.Command("apply", "--disable")
			}
			return f
		},
	}
}

func nameReadable(name string) check.Check {
	return check.Check{
		ID: checkNameReadable, Title: "conntrackd can read the name", Severity: check.Blocker,
		Run: func(context.Context) check.Finding {
			if err := conntrackd.CheckInterfaceName(name); err != nil {
				return check.Finding{
					Status: check.Failed, Detail: err.Error(), Err: err,
					Remedy: fmt.Sprintf("ip link set dev %[1]s down; ip link set dev %[1]s name sync0; ip link set dev sync0 up", name),
				}
			}
			return check.Finding{Status: check.Passed, Detail: name + " is a name that conntrackd's file can hold"}
		},
	}
}

func (n *Node) daemon() check.Check {
	return check.Check{
		ID: checkDaemon, Title: "conntrackd is installed", Severity: check.Blocker,
		Run: func(ctx context.Context) check.Finding {
			version, err := service.Version(ctx, "")
			switch {
			case errors.Is(err, service.ErrNotInstalled):
				return check.Finding{Status: check.Failed, Detail: "conntrackd is not installed on this host", Err: err,
					Remedy: install.Command(install.Conntrackd, false)}
			case err != nil:
				return check.Finding{Status: check.Unknown, Detail: "conntrackd did not say its version: " + err.Error(), Err: err,
					Remedy: "conntrackd -v"}
			}
			state, err := n.Service.State(ctx)
			if state.Masked || errors.Is(err, service.ErrMasked) {
				return check.Finding{Status: check.Failed, Detail: service.Called(n.Service) + " is masked", Err: err,
					Remedy: state.Unmask}
			}
			switch {
			case n.Unmanaged():
				return check.Finding{Status: check.Passed, Detail: "conntrackd " + version + "; its service is left alone"}
			case err != nil:
				return check.Finding{Status: check.Unknown, Err: err, Remedy: service.Unread(n.Service),
					Detail: fmt.Sprintf("conntrackd %s is installed; %s could not be read: %v", version, service.Called(n.Service), err)}
			case !state.Present:
				return check.Finding{Status: check.Failed, Remedy: install.Command(install.Conntrackd, true) + ", or --service direct",
					Detail: fmt.Sprintf("conntrackd %s is installed, but there is no %s", version, service.Called(n.Service))}
			}
			if n.Unread != "" {
				return check.Finding{Status: check.Failed, Detail: n.Unread, Remedy: "leave --config out"}
			}
			var other *service.ElsewhereError
			if errors.As(service.Misplaced(ctx, n.Service, state, n.Config), &other) {
				return check.Finding{Status: check.Failed, Detail: other.Cause, Err: other, Remedy: other.Remedy}
			}
			if k := state.Keeper; k != (service.Keeper{}) {
				return check.Finding{Status: check.Failed, Mild: true, Detail: (&service.KeptError{PID: state.MainPID, Keeper: k}).Error(), Remedy: n.Called.With("--service", "none").Command("apply")}
			}
			if state.Refusal != "" && !state.Active {
				return check.Finding{Status: check.Failed, Detail: fmt.Sprintf("%s would not start: %s", service.Called(n.Service), state.Refusal), Remedy: state.Unmask}
			}
			by := "run by " + n.Service.Name()
			if _, direct := n.Service.(*service.Direct); direct {
				by = "started directly"
			}
			detail := fmt.Sprintf("conntrackd %s, %s", version, by)
			if n.ConfigWhy != "" {
				detail += " with " + n.Config
			}
			if state.Notify {
				detail += " (Type=notify)"
			}
			return check.Finding{Status: check.Passed, Detail: detail}
		},
	}
}

// daemonLint asks the daemon itself about the file that would be written, and
// then starts it once in a namespace of its own.
func (n *Node) daemonLint(settings conntrackd.Settings) check.Check {
	return check.Check{
		ID: checkDaemonLint, Title: "conntrackd accepts the new file", Severity: check.Blocker,
		// The daemon asks the kernel for the interface as it reads its name.
		Needs: []check.ID{checkNameReadable, checkDaemon, netcheck.CheckInterface},
		Run:   func(ctx context.Context) check.Finding { return n.lint(ctx, settings) },
	}
}

func (n *Node) lint(ctx context.Context, settings conntrackd.Settings) check.Finding {
	failed := func(detail string, err error) check.Finding {
		return check.Finding{Status: check.Failed, Detail: detail, Err: err, Remedy: "edit " + n.Config}
	}
	saved, err := n.Load(ctx)
	if err != nil {
		return n.noCandidate(err)
	}
	c, err := n.candidate(ctx, saved, settings)
	if err != nil {
		return n.noCandidate(err)
	}
	problems, err := trial.Lint(ctx, c)
	if err != nil {
		return n.noCandidate(err)
	}
	if len(problems) == 0 {
		// A unit that cannot be asked is another check's.
		problems, _ = trial.Directories(ctx, c, n.Service, n.RuntimeDir)
	}
	if len(problems) > 0 {
		return failed(strings.Join(problems, "; "), nil)
	}
	switch err := trial.DryStart(ctx, c); {
	case err == nil:
		return check.Finding{Status: check.Passed, Detail: "no error, no warning, and a trial start worked"}
	case ctx.Err() != nil, errors.Is(err, conntrackd.ErrCannotLook):
		return check.Finding{Status: check.Unknown, Err: err, Remedy: asRoot(err),
			Detail: "conntrackd reads the file; a trial start was not possible: " + err.Error()}
	default:
		return failed(err.Error(), err)
	}
}

// noCandidate is the finding where there is no new file to ask about: the old
// one is at fault, or could not be read.
func (n *Node) noCandidate(err error) check.Finding {
	var (
		broken *BrokenFileError
		bad    *conntrackd.SettingsError
	)
	if errors.As(err, &broken) || errors.As(err, &bad) || errors.Is(err, conntrackd.ErrDamaged) {
		return check.Finding{Status: check.Failed, Detail: err.Error(), Err: err, Remedy: "edit " + n.Config}
	}
	return check.Finding{Status: check.Unknown, Detail: err.Error(), Err: err, Remedy: asRoot(err)}
}
