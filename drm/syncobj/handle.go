package syncobj

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// handles are the names by which one file knows its objects: small integers
// from 1. Each holds a reference.
type handles struct {
	mu      sync.Mutex
	objects []*Syncobj // by handle-1, nil where free
	lowest  int        // no free index is below it
}

// create gives s, and the caller's reference with it, the lowest free handle.
func (h *handles) create(s *Syncobj) uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.lowest
	for i < len(h.objects) && h.objects[i] != nil {
		i++
	}
	if i == len(h.objects) {
		h.objects = append(h.objects, nil)
	}
	h.objects[i] = s
	h.lowest = i + 1
	return uint32(i + 1)
}

// lookup returns the object, with a reference for the caller; nil when there
// is none.
func (h *handles) lookup(handle uint32) *Syncobj {
	h.mu.Lock()
	defer h.mu.Unlock()
	if handle == 0 || int64(handle) > int64(len(h.objects)) || h.objects[handle-1] == nil {
		return nil
	}
	s := h.objects[handle-1]
	s.get()
	return s
}

// remove frees the handle and returns its reference, nil when there is none.
func (h *handles) remove(handle uint32) *Syncobj {
	h.mu.Lock()
	defer h.mu.Unlock()
	if handle == 0 || int64(handle) > int64(len(h.objects)) {
		return nil
	}
	i := int(handle - 1)
	s := h.objects[i]
	h.objects[i] = nil
	h.lowest = min(h.lowest, i)
	return s
}

func (h *handles) removeAll() {
	h.mu.Lock()
	objects := h.objects
	h.objects = nil
	h.mu.Unlock()
	for _, s := range objects {
		if s != nil {
			s.put()
		}
	}
}

// A file is an object as a descriptor.
type file struct{ object *Syncobj }

// Ioctl implements [drm.ClientFile]: there are no requests on it.
func (f *file) Ioctl(_ context.Context, _ drm.Caller, cmd uint32, _ uint64) error {
	return fmt.Errorf("syncobj: ioctl %#x on a sync object: %w", cmd, unix.ENOTTY)
}

// Close implements [drm.ClientFile].
func (f *file) Close() error {
	f.object.put()
	return nil
}

// install gives the client a descriptor of the object.
func install(req *drm.Request, s *Syncobj) (int32, error) {
	return req.InstallFile(unix.O_CLOEXEC, func(drm.EventSink) (drm.ClientFile, error) {
		s.get()
		return &file{s}, nil
	})
}
