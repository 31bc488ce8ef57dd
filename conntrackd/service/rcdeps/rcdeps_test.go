package rcdeps

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// tree is one as OpenRC 0.45 writes it.
const tree = `depinfo_0_service='net'
depinfo_0_providedby_0='networking'
depinfo_7_service='conntrackd'
depinfo_7_ineed_0='localmount'
depinfo_7_usesme_0='firewall'
depinfo_7_needsme_0='ha'
depinfo_8_service='firewall'
depinfo_8_iuse_0='conntrackd'
depinfo_9_service='ha'
depinfo_9_ineed_0='conntrackd'
depinfo_9_iwant_0='site'
depinfo_10_service='site'
depinfo_10_iwant_0='ha'
depinfo_11_service='localmount'
`

func TestStarter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deptree")
	if err := os.WriteFile(path, []byte(tree), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		tree   string
		atBoot []string
		want   string
	}{
		"what needs it":            {path, []string{"ha", "site"}, "ha"},
		"what wants what needs it": {path, []string{"conntrackd", "site"}, "site"},
		"what only uses it":        {path, []string{"firewall", "localmount"}, ""},
		"none at boot":             {path, nil, ""},
		"no tree":                  {path + "x", []string{"ha"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := Starter(test.tree, "conntrackd", func(s string) bool { return slices.Contains(test.atBoot, s) })
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
