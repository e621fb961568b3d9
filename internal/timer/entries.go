package timer

import "time"

// An entry is a timer.
type entry struct {
	at    time.Duration
	f     func()
	index int // in entries; -1: not there
}

// entries are timers, as a heap ordered by time.
type entries []*entry

func (e entries) Len() int           { return len(e) }
func (e entries) Less(i, j int) bool { return e[i].at < e[j].at }

func (e entries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].index, e[j].index = i, j
}

// Push implements heap.Interface.
func (e *entries) Push(x any) {
	added := x.(*entry)
	added.index = len(*e)
	*e = append(*e, added)
}

// Pop implements heap.Interface.
func (e *entries) Pop() any {
	last := len(*e) - 1
	removed := (*e)[last]
	removed.index = -1
	(*e)[last] = nil
	*e = (*e)[:last]
	return removed
}
