package main

import (
	"context"
	"encoding/json"
	"testing"

	"connsync/lab"
)

// host is a node with a sync link to a neighbour that has the peer's address.
type host struct {
	*lab.Node
	t       *testing.T
	program string
}

func newHost(t *testing.T, program string) *host {
	t.Helper()
	node, err := lab.NewNode(t.Context(), "fw-a")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	peer, err := lab.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	if err := lab.Veth(node.Namespace, lab.SyncInterface, peer, lab.SyncInterface); err != nil {
		t.Fatal(err)
	}
	for _, end := range []struct {
		at      lab.Commander
		address string
	}{{node, "10.0.0.101/24"}, {peer, "10.0.0.102/24"}} {
		line := "ip address add " + end.address + " dev " + lab.SyncInterface + " && ip link set " + lab.SyncInterface + " up"
		if out, err := end.at.Command("sh", "-c", line).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return &host{node, t, program}
}

// save are the words that save a port and run conntrackd with it.
func (h *host) save(port string) []string {
	return []string{h.program, "apply", "--enable", "--first-node", "--interface", lab.SyncInterface,
		"--current-ip", "10.0.0.101/24", "--peer-ip", "10.0.0.102/24", "--port", port}
}

func (h *host) mustSave(port string) {
	h.t.Helper()
	if out, err := h.do(h.save(port)...); err != nil {
		h.t.Fatalf("save port %s: %v\n%s", port, err, out)
	}
}

func (h *host) do(words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	return h.Run(ctx, words[0], words[1:]...)
}

// content is the configuration file.
func (h *host) content() []byte {
	h.t.Helper()
	content, err := h.ReadFile(lab.ConfigPath)
	if err != nil {
		h.t.Fatal(err)
	}
	return content
}

// bound says whether the daemon runs with the file that is there.
func (h *host) bound() bool {
	h.t.Helper()
	cmd := h.Command(h.program, "status", "--json")
	out, _ := cmd.Output() // the verdict is its exit status, and nobody is there to be heard
	var s reported
	if err := json.Unmarshal(out, &s); err != nil {
		h.t.Fatalf("status: %v\n%s", err, out)
	}
	return s.Bound
}
