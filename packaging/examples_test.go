package packaging

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"connsync/lab"
)

// The programs that the examples are for accept them.
func TestExamplesAreAccepted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	node, err := lab.NewNode(ctx, "fw-a")
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	dir, err := filepath.Abs("examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{
		"for i in eth0 eth1 eth2; do ip link add $i type veth peer name p$i && ip link set $i up; done",
		"nft -f $0/nftables.conf",
		"keepalived --config-test --use-file $0/keepalived.conf",
	} {
		if out, err := node.Run(ctx, "sh", "-c", command, dir); err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
}
