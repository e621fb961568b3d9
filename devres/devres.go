// Package devres manages the resources of one binding between a device and
// its driver: whatever probe acquires is released newest first when the
// device is unbound, and likewise when probe fails half-way.
//
// A driver acquires a resource and hands its release to the [Set] of the
// bound device at once. From then on nobody has to remember it: no error path
// of probe and no order in remove can be wrong. It is the kernel's devres
// (Documentation/driver-api/driver-model/devres.rst).
//
// Package bus owns one Set for each binding; package drm puts registrations
// into it, so that unbinding the parent unplugs the DRM device before the
// resources that the device uses go away.
//
// Lock order: [Set].mu is a leaf. A resource is unlinked under it and
// released outside of it, so a release function may call back into the Set.
//
// Start reading at [Set.Add].
package devres

import (
	"errors"
	"fmt"
	"sync"
)

// ErrReleased says that the resources of the binding have been released, or
// are just being released: nothing can be added any more.
var ErrReleased = errors.New("devres: the binding has ended")

// A Set holds the managed resources of one binding. The zero value is an
// empty set, ready for use. All methods may be called concurrently.
type Set struct {
	// OnRelease, when not nil, is told the name of each resource right after
	// its release. It must be set before the first Add.
	OnRelease func(name string)

	mu        sync.Mutex
	resources []*Resource // oldest first
	released  bool
}

// A Resource is one managed resource: a name for reports, and the function
// that releases it.
type Resource struct {
	set     *Set
	name    string
	release func()
}

// Add makes release run when the binding ends, before that of everything that
// was added earlier. If the binding has ended already, Add runs release at
// once and returns an error that wraps [ErrReleased]: the caller never has to
// clean up by itself (devm_add_action_or_reset).
func (s *Set) Add(name string, release func()) (*Resource, error) {
	r := &Resource{set: s, name: name, release: release}
	s.mu.Lock()
	if !s.released {
		s.resources = append(s.resources, r)
		s.mu.Unlock()
		return r, nil
	}
	s.mu.Unlock()
	return nil, errors.Join(
		fmt.Errorf("adding %s, released at once: %w", name, ErrReleased),
		r.run())
}

// Names lists the resources, oldest first.
func (s *Set) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, len(s.resources))
	for i, r := range s.resources {
		names[i] = r.name
	}
	return names
}

// ReleaseAll ends the binding: it releases every resource, newest first, and
// returns when all are released. Resources that are added meanwhile are
// released by Add itself. A panic in a release function does not keep the
// others from being released; it is part of the returned error.
func (s *Set) ReleaseAll() error {
	var errs []error
	for {
		r := s.newest()
		if r == nil {
			return errors.Join(errs...)
		}
		if err := r.run(); err != nil {
			errs = append(errs, err)
		}
	}
}

// newest ends the set for additions and unlinks its newest resource.
func (s *Set) newest() *Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = true
	n := len(s.resources)
	if n == 0 {
		return nil
	}
	r := s.resources[n-1]
	s.resources = s.resources[:n-1]
	return r
}

// Name returns the name that the resource was added with.
func (r *Resource) Name() string { return r.name }

// Release releases the resource now, ahead of the end of the binding, and
// reports whether it did: false says that somebody else has released or
// removed it, or is at it.
func (r *Resource) Release() (bool, error) {
	if !r.Remove() {
		return false, nil
	}
	return true, r.run()
}

// Remove takes the resource out of the set without releasing it: the caller
// owns it again. False says that it is no longer there.
func (r *Resource) Remove() bool {
	r.set.mu.Lock()
	defer r.set.mu.Unlock()
	for i, other := range r.set.resources {
		if other == r {
			r.set.resources = append(r.set.resources[:i], r.set.resources[i+1:]...)
			return true
		}
	}
	return false
}

func (r *Resource) run() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("devres: releasing %s panicked: %v", r.name, p)
		}
		if r.set.OnRelease != nil {
			r.set.OnRelease(r.name)
		}
	}()
	r.release()
	return nil
}
