package apply

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestAbsenceIsMeasured",
	"TestApplyBothNodes",
	"TestApplyCancelled",
	"TestApplyCannotSeeTheSockets",
	"TestApplyDaemonThatDiesAfterItsStart",
	"TestApplyDisableKeepsTheFile",
	"TestApplyIPv6",
	"TestApplyNewCandidate",
	"TestApplyOfWhatIsInForceDoesNothing",
	"TestApplyOneWriterAtATime",
	"TestApplyProvesWhatTheDaemonReads",
	"TestApplyRefusesAnAddressThatHasGone",
	"TestApplyRefusesWhatWasChangedUnderneath",
	"TestApplyRepairsFirst",
	"TestApplyRollbackFails",
	"TestApplyRollsBack",
	"TestApplyRollsBackToNothing",
	"TestApplyToFileOfTheFuture",
	"TestApplyWriteFails",
	"TestEndIsRecordedOnAFullDisk",
	"TestForgedHistory",
	"TestHistoryOfAFailedSave",
	"TestRecover",
	"TestRecoverAfterABoot",
	"TestRecoverCannotSeeTheSockets",
	"TestRollbackIsVerifiedOnTheDefaultLink",
	"TestRollbackSaysWhatTheDaemonReads",
	"TestSaveFillsTheCachesAgain",
)
