package view

import (
	"maps"
	"sync"

	"github.com/udrm/udrm/drm"
)

// An observer is a [drm.Tracer] that tells a viewer when the tree can have
// changed, and notes the times of unplugs.
type observer struct {
	poke func() // must not block

	mu      sync.Mutex
	unplugs map[*drm.Device]unplugTimes
}

// Begin implements [drm.Tracer].
func (o *observer) Begin(*drm.Call) func(drm.Point) {
	return func(p drm.Point) {
		if p != drm.PointHandled {
			o.poke()
		}
	}
}

// Event implements [drm.Tracer].
func (o *observer) Event(e *drm.TraceEvent) {
	o.note(e)
	o.poke()
}

func (o *observer) note(e *drm.TraceEvent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	u := o.unplugs[e.Device]
	switch e.Kind {
	case drm.EventUnplug:
		u = unplugTimes{begun: e.Time}
	case drm.EventDrained:
		u.drained = e.Time
	case drm.EventUnplugged:
		u.ended = e.Time
	default:
		return
	}
	if !u.begun.IsZero() { // else it began before there was an observer
		o.unplugs[e.Device] = u
	}
}

// times returns the times of the unplugs, and forgets those of devices that are
// not current any more.
func (o *observer) times(current map[*drm.Device]bool) map[*drm.Device]unplugTimes {
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.unplugs, func(dev *drm.Device, u unplugTimes) bool { return !u.ended.IsZero() && !current[dev] })
	return maps.Clone(o.unplugs)
}
