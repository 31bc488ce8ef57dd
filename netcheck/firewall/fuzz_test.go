package firewall

import (
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"connsync/netcheck/legacy"
	"connsync/netcheck/nft"
)

// expressionsOf are what expr packs, as the kernel sends it.
func expressionsOf(tb testing.TB, all ...expr.Any) []byte {
	var list []byte
	for _, e := range all {
		packed, err := expr.Marshal(byte(nftables.TableFamilyIPv4), e)
		if err != nil {
			tb.Fatal(err)
		}
		length := len(packed) + 4
		list = append(list, byte(length), byte(length>>8), 1, 0x80)
		list = append(list, packed...)
		for len(list)%4 != 0 {
			list = append(list, 0)
		}
	}
	return list
}

// malformed are lists of expressions that end early, or whose lengths are wrong.
func malformed(tb testing.TB) [][]byte {
	whole := expressionsOf(tb,
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Register: 1, Data: []byte{17}},
		&expr.Log{Data: []byte("x"), Key: 1 << 2}, &expr.Limit{Rate: 1}, &expr.Verdict{Kind: expr.VerdictDrop})
	all := [][]byte{nil, whole, {5, 0, 1, 0, 1}}
	for cut := 1; cut < len(whole); cut += 3 {
		all = append(all, whole[:cut])
	}
	// "log" whose prefix, group and snapshot length have no bytes.
	for kind := byte(1); kind <= 6; kind++ {
		data := []byte{4, 0, kind, 0}
		all = append(all, append([]byte{24, 0, 1, 0x80, 8, 0, 1, 0, 'l', 'o', 'g', 0, 8, 0, 2, 0x80}, data...))
	}
	return all
}

// A message of the kernel that is malformed is an error, or an expression that is
// not understood, and never a panic.
func TestMalformedRules(t *testing.T) {
	for _, b := range malformed(t) {
		followed(t, b)
	}
}

// followed follows the rule that the bytes are.
func followed(tb testing.TB, b []byte) {
	tb.Helper()
	exprs, err := nft.Expressions(nftables.TableFamilyIPv4, b)
	if err != nil {
		return
	}
	followRules(tb, []rule{&nftRule{Exprs: exprs}})
}

func followRules(tb testing.TB, rules []rule) {
	c := &chain{Chain: nft.Chain{Name: "c", Table: "f", Family: nftables.TableFamilyIPv4, Kind: "filter", Hook: hookInput, Base: true}}
	r := &ruleset{chains: map[chainName]*chain{c.key(): c}, base: []*chain{c}}
	r.rules = func(*chain) ([]rule, error) { return rules, nil }
	r.set = func(nftables.TableFamily, string, string) (*nftSet, error) {
		return &nftSet{Set: nft.Set{KeySize: 4, Elements: []nft.Element{{Key: []byte{10, 9, 0, 2}}}}}, nil
	}
	ends, _ := r.follow(newWork(tb.Context()), c, testFlow("10.9.0.2", "10.9.0.1"), nil)
	if ends == 0 {
		tb.Error("the flow ends nowhere")
	}
}

// FuzzNftRule holds that a rule of nftables, xt matches of iptables-nft among them,
// is read and followed to some end whatever its bytes are.
func FuzzNftRule(f *testing.F) {
	for _, b := range malformed(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		followed(t, b)
	})
}

// FuzzLegacyRules holds the same for what iptables-save prints.
func FuzzLegacyRules(f *testing.F) {
	for _, s := range []string{"", ":INPUT DROP [0:0]\n-A INPUT -p udp -m udp --dport 3780 -j ACCEPT\n", ":INPUT ACCEPT [0:0]\n-A INPUT ! -s 10.9.0.0/24 -j DROP\n",
		":INPUT -\n-A INPUT -j\n", ":INPUT DROP\n-A INPUT !\n-A INPUT -g INPUT\n-A INPUT -m multiport --dports 1:2,3780 -j REJECT\n", ":INPUT DROP\n-A INPUT -m comment --comment \"a \\\" b\" -j LOG\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, saved string) {
		r := &ruleset{chains: map[chainName]*chain{}, saved: map[chainName]savedRules{}}
		r.addLegacy(4, []legacy.Table{{Program: "iptables-legacy", Name: "filter", Chains: legacy.Parse(saved)}})
		for _, c := range r.all {
			r.chains[c.key()] = c
		}
		r.rules = func(c *chain) ([]rule, error) { return r.saved[c.key()].rules, nil }
		for _, c := range r.all {
			if ends, _ := r.follow(newWork(t.Context()), c, testFlow("10.9.0.2", "10.9.0.1"), nil); ends == 0 {
				t.Errorf("the flow ends nowhere in %v", c)
			}
		}
	})
}
