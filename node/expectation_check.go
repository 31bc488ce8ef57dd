package node

import (
	"context"

	"connsync/netcheck/check"
	"connsync/node/helpers"
)

// expectations judges what a save would write of a file without a sync.
func (h *hostChecks) expectations(ctx context.Context) check.Finding {
	if err := h.look(ctx); err != nil {
		return unseen(err)
	}
	files := helpers.Files{InForce: h.saved.File, Saved: h.file()}
	if h.saved.WhyNoSettings != "" {
		files.InForce = files.Saved
	}
	look, err := helpers.Read(ctx, files.InForce.ControlSocket())
	if err != nil {
		return check.Finding{Status: check.Unknown, Err: err, Remedy: asRoot(err), Detail: err.Error()}
	}
	if told := h.n.Observer(h.saved).PeerTold(ctx); told != nil {
		look.Peer = told.Helpers
	}
	look.Called = h.n.Called
	return look.Judge(h.n.Config, files)
}
