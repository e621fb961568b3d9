package fence

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// A link is what makes a fence a node of a chain: struct dma_fence_chain.
type link struct {
	own       *Fence // of this point; not a chain
	prevSeqno uint64 // the point before it in the same timeline

	prev *Fence // guarded by the node's mu; nil when all before it is signalled
}

// NewChain returns the next node of a timeline: point seqno is signalled when
// own is, which is no chain itself, and prev too, which is the node before it,
// any other fence, or nil. A point that does not lie after its predecessor begins
// the timeline anew.
func NewChain(prev, own *Fence, seqno uint64) *Fence {
	f := &Fence{driver: "dma_fence_chain", timeline: "unbound", seqno: seqno, link: &link{own: own, prev: prev}}
	switch {
	case prev != nil && prev.link != nil && seqno > prev.seqno:
		f.context = prev.context
		f.link.prevSeqno = prev.seqno
	case prev != nil && prev.link != nil:
		f.context = contextIDs.Add(1)
		f.seqno = prev.seqno
	default:
		f.context = contextIDs.Add(1)
	}
	return f
}

// contained is the fence of a node's own point; of any other fence, itself.
func (f *Fence) contained() *Fence {
	if f.link != nil {
		return f.link.own
	}
	return f
}

func (f *Fence) prev() *Fence {
	if f.link == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.link.prev
}

// walk returns the fence before f in its chain, nil when there is none. Those
// whose own point is signalled are unlinked on the way, so that a timeline is
// as long as what is pending on it (dma_fence_chain_walk).
func (f *Fence) walk() *Fence {
	for {
		prev := f.prev()
		if prev == nil || !prev.contained().Signaled() {
			return prev
		}
		before := prev.prev()
		f.mu.Lock()
		if f.link.prev == prev {
			f.link.prev = before
		}
		f.mu.Unlock()
	}
}

// Collect unlinks the signalled nodes of a chain. Who appends to a timeline
// calls it.
func (f *Fence) Collect() {
	for node := f; node != nil; node = node.walk() {
	}
}

// Point returns the fence that is signalled when point seqno of the timeline
// is; 0 stands for f itself, whatever it is. EINVAL when the timeline does not
// have the point yet (dma_fence_chain_find_seqno).
func (f *Fence) Point(seqno uint64) (*Fence, error) {
	if seqno == 0 {
		return f, nil
	}
	if f.link == nil || f.seqno < seqno {
		return nil, fmt.Errorf("fence: point %d is not on the timeline %s: %w", seqno, f, unix.EINVAL)
	}
	for node := f; node != nil; node = node.walk() {
		if node.context != f.context || node.link.prevSeqno < seqno {
			return node, nil
		}
	}
	return Stub(), nil
}

// LastSubmitted returns the last point of the timeline, 0 for a fence that is
// none.
func (f *Fence) LastSubmitted() uint64 {
	if f.link == nil {
		return 0
	}
	return f.seqno
}

// LastSignaled returns the last point of the timeline up to which all is
// signalled, 0 for a fence that is none.
func (f *Fence) LastSignaled() uint64 {
	if f.link == nil {
		return 0
	}
	oldest := f // that is pending
	for node := f; node != nil && node.context == f.context; node = node.walk() {
		oldest = node
	}
	if oldest.Signaled() {
		return oldest.seqno
	}
	return oldest.link.prevSeqno
}
