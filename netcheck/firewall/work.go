package firewall

import "context"

// maxWork is how many rules are followed to answer one question, of all flows
// and base chains together. A host with 50,000 rules needs less than a tenth.
const maxWork = 1 << 22

// elementsPerRule is how many elements of a set can be compared in the time in
// which a rule is followed.
const elementsPerRule = 16

// work is what is left of the rules that may be followed to answer a question.
type work struct {
	ctx  context.Context
	left int
}

func newWork(ctx context.Context) *work { return &work{ctx: ctx, left: maxWork} }

// spend takes n away. It is false where not as much is left, and once the
// context has ended.
func (k *work) spend(n int) bool {
	if k.left < n || k.ctx.Err() != nil {
		k.left = 0
		return false
	}
	k.left -= n
	return true
}

// visit is all that the outcome of a chain depends on, for one flow and one
// base chain.
type visit struct {
	chain   chainName
	depth   int // of jumps, of which there may be too many
	tracked tracking
	changed changes
	marks   marks
	loose   bool
}

// outcome is what a chain does. It leaves the flow's state as it was, but for the marks: a
// state that a chain changes does not come back, and so there is no second visit.
type outcome struct {
	ends         fates
	where, doubt string // blank where the chain added nothing
	marks        marks
}

// chain follows a chain once in each state of the flow; from then on its
// outcome is known. So following rules costs time in proportion to their number,
// however many jumps lead to them.
func (w *follower) chain(c *chain) fates {
	w.depth++
	defer func() { w.depth-- }()
	here := visit{c.key(), w.depth, w.flow.tracked, w.flow.changed, w.flow.marks, w.loose}
	o, ok := w.known[here]
	if !ok {
		where, doubt := w.where, w.doubt
		w.where, w.doubt = "", ""
		ends := w.walk(c)
		o = outcome{ends, w.where, w.doubt, w.flow.marks}
		w.known[here] = o
		w.where, w.doubt = where, doubt
	}
	w.flow.marks = o.marks
	if o.where != "" {
		w.where = o.where
	}
	if w.doubt == "" {
		w.doubt = o.doubt
	}
	return o.ends
}
