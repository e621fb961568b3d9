package gem

import "container/list"

// An offsetSpace gives fake offsets to objects: each a range of its own. Ranges
// are given in ascending order, and freed ones again only when the space is used
// up. So the next range nearly always lies behind the last one, and to give it
// takes no longer if there are many objects: each is passed at most once on a way
// through the space, which is much larger than all objects together.
type offsetSpace struct {
	min, max uint64

	objects map[uint64]*Object // by offset
	order   list.List          // of the objects, by offset
	last    *list.Element      // below next; nil for none
	next    uint64             // the next offset to try
}

func newOffsetSpace(from, to uint64) *offsetSpace {
	return &offsetSpace{min: from, max: to, objects: make(map[uint64]*Object), next: from}
}

// give gives o an offset, and reports false if no range is left.
func (s *offsetSpace) give(o *Object) bool {
	for wrapped := false; ; {
		if o.size > s.max-s.next {
			if wrapped {
				return false
			}
			s.next, s.last, wrapped = s.min, nil, true
			continue
		}
		following := s.order.Front()
		if s.last != nil {
			following = s.last.Next()
		}
		if following == nil || s.next+o.size <= following.Value.(*Object).offset {
			break
		}
		passed := following.Value.(*Object)
		s.next, s.last = passed.offset+passed.size, following
	}
	o.offset = s.next
	s.objects[o.offset] = o
	if s.last == nil {
		o.inOrder = s.order.PushFront(o)
	} else {
		o.inOrder = s.order.InsertAfter(o, s.last)
	}
	s.next, s.last = o.offset+o.size, o.inOrder
	return true
}

// take takes the offset of o back, if it has one.
func (s *offsetSpace) take(o *Object) {
	if o.inOrder == nil {
		return
	}
	delete(s.objects, o.offset)
	if s.last == o.inOrder {
		s.last = o.inOrder.Prev()
	}
	s.order.Remove(o.inOrder)
	o.inOrder = nil
}
