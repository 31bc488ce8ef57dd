package health

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
)

// Proof is what an active proof has seen on this node. "The peer's state
// arrived" and "this node's arrived there" are two different things, and this node
// knows the second from the peer alone: its state says so.
type Proof struct {
	Created   bool // our state was put into this node's table
	Passed    bool // and our daemon took it into its cache, to send it
	Arrived   bool // the peer's state came to this node
	Left      bool // and went again when the peer took it out
	Confirmed bool // the peer's state says that ours arrived there
	Told      bool // the peer has told what it holds since the proof began
	// NATSent is the address of the peer's source NAT, and NATArrived the one that came
	// of it. Both are blank while none has come, or where that cannot be seen: in an
	// external cache, or of a peer whose connsync or kernel has no such state.
	NATSent, NATArrived string
}

// NATChanged says that a NAT address of the peer's came here as another one, so that
// translated connections would not survive.
func (p Proof) NATChanged() bool { return p.NATArrived != p.NATSent }

// Done says that the proof is complete: states go both ways.
func (p Proof) Done() bool { return p.Arrived && p.Left && p.Confirmed }

// Prover proves the sync by states: both nodes of a pair run one at the same
// time. Each puts a [TestState] into its kernel's table and takes it out again,
// over and over, and looks for the other's; one with a source NAT goes along. Use one
// once.
type Prover struct {
	Client   *control.Client     // of this node's daemon
	Settings conntrackd.Settings // with which it runs
	// Observer, which may be nil, tells the peer what is here and hears what is there.
	Observer *Observer
	// Each, which may be nil, is told of every change.
	Each func(Proof)

	proof Proof
	own   TestState
	peers TestState
	here  bool // the peer's state is here now
	short int  // times that the peer told of connections that it does not hold, or this node lacks some
}

const (
	// proofHold and proofPause are how long our state is in the table and out
	// of it; the other node has to see both.
	proofHold  = 1500 * time.Millisecond
	proofPause = 800 * time.Millisecond
	proofLook  = 200 * time.Millisecond
	// proofTold is how many times more our state comes and goes for a peer that has not
	// told what it holds. One of an older version never does.
	proofTold = 3
)

// Prove works in the network namespace of the calling thread until the proof
// is done, or ctx ends, which is no error. It takes its state away.
func (p *Prover) Prove(ctx context.Context) (proof Proof, err error) {
	p.own, p.peers = TestStates(p.Settings)
	defer func() {
		for _, state := range []TestState{p.own.saying(false), p.own.saying(true), p.own.translated()} {
			if e := state.remove(); err == nil {
				err = e
			}
		}
		proof = p.proof
	}()
	told := 0 // whole times that our state has said that the peer's was seen
	for began := time.Now(); ctx.Err() == nil; {
		p.tell(ctx, began)
		saying := p.proof.Arrived
		state := p.own.saying(saying)
		if err := errors.Join(state.create(), p.own.createTranslated()); err != nil {
			return p.proof, err
		}
		p.note(func(proof *Proof) { proof.Created = true })
		if err := p.lookFor(ctx, proofHold, state); err != nil {
			return p.proof, err
		}
		if err := errors.Join(state.remove(), p.own.translated().remove()); err != nil {
			return p.proof, err
		}
		if err := p.lookFor(ctx, proofPause, TestState{}); err != nil {
			return p.proof, err
		}
		if saying {
			told++
		}
		// Twice, since the other node needs to see it as well.
		if p.short > proofTold {
			break // a peer that has no room for connections has none for our state
		}
		if p.proof.Done() && told >= 2 && (p.Observer == nil || p.proof.Told || told >= 2+proofTold) {
			p.tell(ctx, began) // for the other node, which may need a moment longer
			break
		}
	}
	return p.proof, nil
}

// tell leaves this node's numbers for the peer and looks for the peer's. What fails
// leaves the other node not told, which it says.
func (p *Prover) tell(ctx context.Context, began time.Time) {
	if p.Observer == nil || p.Observer.Coverage == nil {
		return
	}
	_, _ = p.Observer.Coverage.LookNow(ctx) // the observation has its answer
	h := p.Observer.Observe(ctx)
	_ = p.Observer.Tell(ctx)
	if told := h.Holding.Told; told != nil && told.Age <= time.Since(began) {
		p.note(func(proof *Proof) { proof.Told = true })
		if h.Verdict == VerdictPartial {
			p.short++
		}
	}
}

// note makes a change to the proof and tells it.
func (p *Prover) note(change func(*Proof)) {
	before := p.proof
	change(&p.proof)
	if p.proof != before && p.Each != nil {
		p.Each(p.proof)
	}
}

// lookFor looks for the peer's state during a time; own is the state of ours
// that is in the table.
func (p *Prover) lookFor(ctx context.Context, during time.Duration, own TestState) error {
	ticker := time.NewTicker(proofLook)
	defer ticker.Stop()
	for until := time.Now().Add(during); time.Now().Before(until); {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if own != (TestState{}) && !p.proof.Passed {
			passed, err := p.Client.HoldsInternal(ctx, own.words())
			if err != nil && !ended(ctx) {
				return err
			}
			p.note(func(proof *Proof) { proof.Passed = passed })
		}
		if err := p.look(ctx); err != nil && !ended(ctx) {
			return err
		}
	}
	return nil
}

// look takes one look for the peer's state.
func (p *Prover) look(ctx context.Context) error {
	waiting, err := p.holds(ctx, p.peers.saying(false))
	if err != nil {
		return err
	}
	seen, err := p.holds(ctx, p.peers.saying(true))
	if err != nil {
		return err
	}
	var nat netip.Addr
	if !p.Settings.ExternalCache { // which does not show it
		if nat, err = p.peers.arrivedNAT(); err != nil {
			return err
		}
	}
	left := p.here && !waiting && !seen
	p.here = waiting || seen
	p.note(func(proof *Proof) {
		proof.Arrived = proof.Arrived || p.here
		proof.Left = proof.Left || left
		proof.Confirmed = proof.Confirmed || seen
		if nat.IsValid() {
			proof.NATSent, proof.NATArrived = p.peers.nat().String(), nat.String()
		}
	})
	return nil
}

// holds looks where the peer's states are kept on this node.
func (p *Prover) holds(ctx context.Context, t TestState) (bool, error) {
	if p.Settings.ExternalCache {
		return p.Client.HoldsExternal(ctx, t.words())
	}
	return t.present()
}

// ended says that ctx is over. A call whose deadline is that of ctx may end before ctx
// says so.
func ended(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}
