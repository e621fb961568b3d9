package drm

import (
	"container/heap"
	"container/list"
	"fmt"
	"iter"

	"golang.org/x/sys/unix"
)

// lessees are those of one lessor. A client can make very many, so nothing but
// listing them takes longer the more there are. The zero value is ready.
//
// All methods are called with Device.masterMu held.
type lessees struct {
	order  list.List                // of *Master, oldest first
	byID   map[uint32]*list.Element // of order
	leased map[uint32]*Master       // the lessee that holds an object
	next   uint32                   // the highest lessee id so far
	freed  idHeap                   // ids up to next that no lessee has
}

// add makes a lessee that holds the objects. Its id is the lowest free one. add
// fails with EBUSY if another lessee holds one of the objects.
func (l *lessees) add(lessor *Master, objects []uint32) (*Master, error) {
	for _, id := range objects {
		if other := l.leased[id]; other != nil {
			return nil, fmt.Errorf("drm: CREATE_LEASE: object %d is leased to lessee %d; revoke that lease first: %w", id, other.lesseeID, unix.EBUSY)
		}
	}
	if l.byID == nil {
		l.byID, l.leased = make(map[uint32]*list.Element), make(map[uint32]*Master)
	}
	lessee := new(Master)
	lessee.lease = lease{lessor: lessor, objects: objects}
	if len(l.freed) > 0 {
		lessee.lesseeID = heap.Pop(&l.freed).(uint32)
	} else {
		l.next++
		lessee.lesseeID = l.next
	}
	l.byID[lessee.lesseeID] = l.order.PushBack(lessee)
	for _, id := range objects {
		l.leased[id] = lessee
	}
	return lessee, nil
}

// revoke takes all objects from a lessee.
func (l *lessees) revoke(lessee *Master) {
	for _, id := range lessee.objects {
		delete(l.leased, id)
	}
	lessee.objects = nil
}

// remove revokes the lease of a lessee and frees its id.
func (l *lessees) remove(lessee *Master) {
	l.revoke(lessee)
	l.order.Remove(l.byID[lessee.lesseeID])
	delete(l.byID, lessee.lesseeID)
	heap.Push(&l.freed, lessee.lesseeID)
	if l.order.Len() == 0 {
		*l = lessees{}
	}
}

// find returns the lessee with an id, or nil.
func (l *lessees) find(id uint32) *Master {
	if e := l.byID[id]; e != nil {
		return e.Value.(*Master)
	}
	return nil
}

// all returns the lessees, oldest first.
func (l *lessees) all() iter.Seq[*Master] {
	return func(yield func(*Master) bool) {
		for e := l.order.Front(); e != nil; e = e.Next() {
			if !yield(e.Value.(*Master)) {
				return
			}
		}
	}
}

// An idHeap implements heap.Interface: the lowest id is first.
type idHeap []uint32

func (h idHeap) Len() int           { return len(h) }
func (h idHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h idHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *idHeap) Push(id any)       { *h = append(*h, id.(uint32)) }

func (h *idHeap) Pop() any {
	last := len(*h) - 1
	id := (*h)[last]
	*h = (*h)[:last]
	return id
}
