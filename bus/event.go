package bus

import "slices"

// An Event is something that happened to a device. Actions are those of the
// kernel's uevents (add, bind, unbind, remove) and, after the release of each
// managed resource of a binding, "release".
type Event struct {
	Action   string
	Device   *Device
	Resource string // the name of the released resource
}

// Subscribe calls f for every event on the bus, in order for each device,
// until cancel is called. f runs in the goroutine that causes the event.
func (b *Bus) Subscribe(f func(Event)) (cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers = append(b.subscribers, &f)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.subscribers = slices.DeleteFunc(b.subscribers, func(other *func(Event)) bool { return other == &f })
	}
}

func (b *Bus) send(e Event) {
	b.mu.Lock()
	subscribers := slices.Clone(b.subscribers)
	b.mu.Unlock()
	for _, f := range subscribers {
		(*f)(e)
	}
}
