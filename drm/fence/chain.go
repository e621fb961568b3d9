package fence

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// A link makes a fence a node of a chain: struct dma_fence_chain.
type link struct {
	own       *Fence // of this point; not a chain
	prevSeqno uint64 // the point before it in the same timeline

	prev *Fence // guarded by the node's mu; nil when every earlier point is signalled
}

// NewChain returns a node that appends point seqno to a timeline. The node is
// signalled when own and prev are. own must not be a chain node. prev is the
// previous node, any other fence, or nil. If seqno is not greater than the
// previous point, the node starts a new timeline.
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

// contained returns the fence of a node's own point, or f itself if it is not
// a chain node.
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

// walk returns the fence before f in its chain, or nil. It unlinks nodes whose
// own point is signalled, so a timeline keeps only its pending points
// (dma_fence_chain_walk).
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

// Collect unlinks the signalled nodes of a chain. Call it after appending to a
// timeline.
func (f *Fence) Collect() {
	for node := f; node != nil; node = node.walk() {
	}
}

// Point returns a fence that is signalled when point seqno of the timeline is.
// Point 0 stands for f itself, even if f is not a timeline. Point fails with
// EINVAL if the point is not submitted yet (dma_fence_chain_find_seqno).
func (f *Fence) Point(seqno uint64) (*Fence, error) {
	if seqno == 0 {
		return f, nil
	}
	if f.link == nil || f.seqno < seqno {
		return nil, fmt.Errorf("fence: timeline %s has no point %d yet: %w", f, seqno, unix.EINVAL)
	}
	return f.seek(f, seqno), nil
}

// HasPoint reports whether Point finds a point: it is submitted, or 0.
func (f *Fence) HasPoint(seqno uint64) bool {
	return seqno == 0 || f.link != nil && f.seqno >= seqno
}

// Points returns what Point returns for each of the points, which the timeline
// has and which descend. It walks the timeline once.
func (f *Fence) Points(seqnos []uint64) []*Fence {
	points := make([]*Fence, len(seqnos))
	node := f
	for i, seqno := range seqnos {
		if seqno == 0 {
			points[i] = f
			continue
		}
		node = f.seek(node, seqno)
		points[i] = node
	}
	return points
}

// seek returns the fence of a point, which is that of node or an earlier one.
func (f *Fence) seek(node *Fence, seqno uint64) *Fence {
	for node.context == f.context && node.link.prevSeqno >= seqno {
		if node = node.walk(); node == nil {
			return Stub()
		}
	}
	return node
}

// LastSubmitted returns the last point of the timeline, or 0 if f is not a
// timeline.
func (f *Fence) LastSubmitted() uint64 {
	if f.link == nil {
		return 0
	}
	return f.seqno
}

// LastSignaled returns the last point that is signalled together with all
// points before it, or 0 if f is not a timeline.
func (f *Fence) LastSignaled() uint64 {
	if f.link == nil {
		return 0
	}
	oldest := f // pending node
	for node := f; node != nil && node.context == f.context; node = node.walk() {
		oldest = node
	}
	if oldest.Signaled() {
		return oldest.seqno
	}
	return oldest.link.prevSeqno
}
