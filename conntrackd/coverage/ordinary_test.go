package coverage

import "connsync/lab/rootless"

var _ = rootless.LeftOut(
	"TestCompareWithExternalCache",
	"TestExportAndCompare",
	"TestFilterAgreesWithTheDaemon",
	"TestThrough",
	"TestWrittenShowsInReports",
)
