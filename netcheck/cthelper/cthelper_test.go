package cthelper

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/lab"
	"connsync/netcheck/legacy"
)

// Each way in which rules assign a helper is seen, and a helper that no rule uses
// is not taken for one in use.
func TestHelpers(t *testing.T) {
	const object = "table inet h {\nct helper f {\ntype \"ftp\" protocol tcp\n}\n"
	for _, tt := range []struct {
		name   string
		script string     // for nft
		rules  [][]string // for other programs
		want   []string
	}{
		{"no rules", "", nil, nil},
		{"an object in a rule", object + "chain c {\ntype filter hook prerouting priority 0;\ntcp dport 21 ct helper set \"f\"\n}\n}\n", nil, []string{"ftp"}},
		{"an object in a map", object + "chain c {\ntype filter hook prerouting priority 0;\nct helper set tcp dport map { 21 : \"f\" }\n}\n}\n", nil, []string{"ftp"}},
		{"an object that nothing uses", object + "}\n", nil, nil},
		{"a dormant table", "table inet h {\nflags dormant\nct helper f {\ntype \"ftp\" protocol tcp\n}\nchain c {\nct helper set \"f\"\n}\n}\n", nil, nil},
		{"iptables in nftables", "", [][]string{{"iptables-nft", "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "1720", "-j", "CT", "--helper", "Q.931"}}, []string{"H.245", "Q.931"}},
		{"ip6tables in nftables", "", [][]string{{"ip6tables-nft", "-t", "raw", "-A", "OUTPUT", "-p", "udp", "--dport", "69", "-j", "CT", "--helper", "tftp"}}, []string{"tftp"}},
		{"another use of CT", "", [][]string{{"iptables-nft", "-t", "raw", "-A", "PREROUTING", "-j", "CT", "--notrack"}}, nil},
		{"the older tables", "", [][]string{{"iptables-legacy", "-w", "-t", "raw", "-A", "PREROUTING", "-p", "udp", "--dport", "5060", "-j", "CT", "--helper", "sip"}}, []string{"sip"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := lab.NewNamespace()
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			err = h.Do(func() error {
				load := exec.Command("nft", "-f", "-")
				load.Stdin = strings.NewReader(tt.script)
				if out, err := load.CombinedOutput(); err != nil {
					return fmt.Errorf("%w: %s", err, out)
				}
				for _, r := range tt.rules {
					if out, err := exec.Command(r[0], r[1:]...).CombinedOutput(); err != nil {
						if r[0] == "iptables-legacy" {
							t.Skipf("this kernel has no older tables: %s", out)
						}
						t.Fatalf("%s: %v", out, err)
					}
				}
				got, err := Names(t.Context())
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestHelpersOfSavedRules(t *testing.T) {
	chains := legacy.Parse(":PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -m udp --dport 5060 -j CT --helper sip\n-A PREROUTING -p tcp -m helper --helper ftp -j ACCEPT\n")
	var names []string
	for _, c := range chains {
		names = append(names, savedHelpers(c.Rules)...)
	}
	if diff := cmp.Diff([]string{"sip"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHelpersOfModules(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"nf_conntrack_ftp", "nf_conntrack_h323", "nf_conntrack", "nf_nat_sip"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got := moduleHelpers(dir)
	slices.Sort(got)
	if diff := cmp.Diff([]string{"RAS", "ftp"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
