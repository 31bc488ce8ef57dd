package health

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/service"
	"connsync/plural"
	"connsync/trust"
)

// judgement is a verdict in words.
type judgement struct {
	Verdict Verdict
	Cause   string
	Next    string
}

// judge is pure.
func judge(e evidence) judgement {
	if j, done := judgeDaemon(e); done {
		return j
	}
	if j, done := e.judgeOldSocket(); done {
		return j
	}
	if j, done := e.judgeHeardElsewhere(); done {
		return j
	}
	in, by := e.hearing(), e.heard()
	switch {
	case e.otherMode():
		return e.judgeMode()
	case in == works && by == works:
		if j, differ := e.judgeVersions(); differ {
			return j
		}
		if e.refused() > 0 {
			return e.judgeRefused()
		}
		return e.judgeLossAndMissingStates()
	case in == works && by == broken:
		return e.judgeDeafPeer()
	case in == works:
		return e.judgeUnproven()
	case in == broken:
		j := e.judgeSilence()
		if by == works {
			j.Verdict = VerdictSendingOnly
		}
		return j
	}
	cause := fmt.Sprintf("still measuring: no message from the peer in the first %d s", max(1, e.now.Sub(e.readings[0].Time)/time.Second))
	if e.now.Sub(e.service.Since) < window {
		cause = "conntrackd has just started; no message from the peer yet"
	}
	return judgement{VerdictUnknown, cause, "wait a few seconds"}
}

// setUp is what to do where sync is not set up.
func (e evidence) setUp() string {
	return "set it up: " + e.called.Command() + ", or line by line " + e.called.Command("setup")
}

// judgeDaemon settles the cases in which the sync need not be looked at.
func judgeDaemon(e evidence) (judgement, bool) {
	switch {
	case errors.Is(e.serviceErr, service.ErrUnmanaged):
		return judgement{VerdictUnknown, "--service none does not look at the service", "use --service auto or direct"}, true
	case e.serviceErr != nil:
		return judgement{VerdictUnknown, "the service cannot be read: " + e.serviceErr.Error(), e.unread}, true
	case e.elsewhere != nil:
		return judgement{VerdictUnknown, e.elsewhere.Cause, e.elsewhere.Remedy}, true
	case e.stranger.PID != 0:
		j := judgement{VerdictUnknown, fmt.Sprintf("conntrackd (process %d) runs with another file, %s, and not with %s", e.stranger.PID, e.stranger.Config, e.config),
			fmt.Sprintf("show that one with %s, or start this one with %s", e.called.With("--config", e.stranger.Config).Command("status"), e.called.Command("apply", "--enable"))}
		if !e.service.Active {
			j.Verdict = VerdictStopped
		}
		return j, true
	case e.onlyStatistics():
		return judgement{VerdictStopped, "sync is not set up on this node; conntrackd keeps statistics only", e.setUp()}, true
	case e.off() && !e.settings.Complete():
		cause := "nothing is set up on this node"
		if e.settings.Current.Addr().IsValid() || e.settings.Interface != "" {
			cause = "the settings of the sync link are incomplete" + e.lacking()
		}
		return judgement{VerdictStopped, cause, e.setUp()}, true
	case e.off():
		cause := "conntrackd does not run, and is not started at boot"
		next := "turn it on: " + e.called.Command("apply", "--enable")
		switch by := e.service.StartedBy; {
		case e.service.AtBoot() == nil:
			cause = "conntrackd does not run"
		case by != "":
			cause = fmt.Sprintf("conntrackd does not run, and at boot %s starts it", by)
			next += "; or keep it off: take it out of " + by
		}
		return judgement{VerdictStopped, cause, e.service.First(next)}, true
	case !e.service.Active:
		return judgeInactive(e), true
	case errors.Is(e.countersErr, control.ErrStatsMode):
		return judgement{VerdictStopped, "conntrackd runs but does not sync: it was started with a file that has no Sync section",
			"restart conntrackd, so that it takes the settings of its file"}, true
	case errors.Is(e.countersErr, fs.ErrPermission):
		return judgement{VerdictUnknown, "only root may ask conntrackd at its control socket", trust.Refused(e.called.Command("status"))}, true
	case e.countersErr != nil:
		return judgement{VerdictUnknown, "conntrackd runs but does not answer: " + e.countersErr.Error(),
			"restart conntrackd if this continues"}, true
	case e.foreign == "" && e.settings.Multicast() && !e.settings.Peer.Addr().IsValid():
		return judgement{VerdictUnknown, "conntrackd runs with a Multicast link, and its file does not say who the peer is: conntrackd needs no Peer IP there, status does",
			"save the settings with the peer's address (" + e.called.Command("apply", "--peer-ip", "ADDRESS/LENGTH") + "), which does not change what conntrackd sends"}, true
	case e.foreign != "" || !e.settings.Complete() && !e.onSpare: // of a spare link a prefix length may not be known
		j := judgement{VerdictUnknown, "conntrackd runs, but its file has no settings of a UDP sync link",
			"restore the file (" + e.called.Command("history") + ", " + e.called.Command("rollback") + "), or save the settings"}
		if e.foreign != "" {
			j.Cause += ": " + e.foreign
			j.Next = "check it with conntrackd -s, or replace it with a UDP link (" + e.called.Command("apply", "--replace-transport") + ")"
		} else {
			j.Cause += e.lacking()
		}
		return j, true
	case len(e.readings) == 0:
		return judgement{VerdictUnknown, "no counters were read yet", ""}, true
	}
	return judgement{}, false
}

// lacking ends a sentence with what the settings lack of a sync link.
func (e evidence) lacking() string {
	var labels []string
	for _, f := range e.settings.Missing() {
		setting, _ := conntrackd.NewSettingTable().Find(f)
		labels = append(labels, setting.Label)
	}
	return fmt.Sprintf(": %s %s missing or cannot be used", plural.List(labels), plural.Word(len(labels), "is", "are"))
}

// judgeInactive says why a daemon that has to run does not.
func judgeInactive(e evidence) judgement {
	cause := "conntrackd does not run"
	switch {
	case e.service.Ended:
		cause = e.service.HalfEnabled()
	case e.service.Detail != "":
		cause += ": " + e.service.Detail
	}
	if e.service.Enabled {
		cause += "; it would start at boot"
	}
	next := "enable sync, or read the daemon's log"
	switch why, mend := e.gone(); {
	case why != "" && e.settings.Complete():
		cause, next = cause+"; "+why, mend
	case e.service.Killed:
		next = "start it with " + e.called.Command("apply") + ", and read the daemon's log"
	case e.service.Ended:
		next = "start it (" + e.called.Command("apply", "--enable") + "), or keep it off (" + e.called.Command("apply", "--disable") + ")"
	}
	return judgement{VerdictStopped, cause, e.service.First(next)}
}
