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
// Lock order: [Set].mu is a leaf. A resource is claimed under it and
// released outside of it, so a release function may call back into the Set,
// except for [Set.ReleaseAll], which would wait for the caller.
//
// Start reading at [Set.Add].
package devres

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
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
	resources []*Resource // oldest first, those being released included
	released  bool
}

// A Resource is one managed resource: a name for reports, and the function
// that releases it.
type Resource struct {
	set     *Set
	name    string
	release func()

	// ended is made, guarded by Set.mu, when somebody begins to release the
	// resource, and closed when that is done.
	ended chan struct{}
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
	var names []string
	for _, r := range s.resources {
		if r.ended == nil {
			names = append(names, r.name)
		}
	}
	return names
}

// ReleaseAll ends the binding: it releases every resource, newest first, and
// returns when all are released. What is being released by [Resource.Release]
// at that moment is waited for in its turn: whatever it stands on is still
// there. Resources that are added meanwhile are released by Add itself. A panic
// in a release function does not keep the others from being released; it is
// part of the returned error.
//
// Preconditions: the caller is not itself a release function of the set.
func (s *Set) ReleaseAll() error {
	var errs []error
	for {
		r, mine := s.newest()
		switch {
		case r == nil:
			return errors.Join(errs...)
		case !mine:
			<-r.ended
		default:
			errs = append(errs, s.finish(r))
		}
	}
}

// newest ends the set for additions and returns its newest resource. mine says
// that the caller is to release it; otherwise somebody else is at it.
func (s *Set) newest() (r *Resource, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = true
	n := len(s.resources)
	if n == 0 {
		return nil, false
	}
	r = s.resources[n-1]
	mine = r.ended == nil
	if mine {
		r.ended = make(chan struct{})
	}
	return r, mine
}

// finish releases r, which the caller has claimed, and takes it off the list.
func (s *Set) finish(r *Resource) error {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.drop(r)
		close(r.ended)
	}()
	return r.run()
}

// drop is called with mu held.
func (s *Set) drop(r *Resource) {
	i := slices.Index(s.resources, r)
	s.resources = slices.Delete(s.resources, i, i+1)
}

// Name returns the name that the resource was added with.
func (r *Resource) Name() string { return r.name }

// Release releases the resource now, ahead of the end of the binding, and
// reports whether it did: false says that somebody else has released or
// removed it, or is at it. The end of the binding waits for it before it goes
// on to older resources.
func (r *Resource) Release() (bool, error) {
	if !r.claim() {
		return false, nil
	}
	return true, r.set.finish(r)
}

func (r *Resource) claim() bool {
	r.set.mu.Lock()
	defer r.set.mu.Unlock()
	if r.ended != nil {
		return false
	}
	r.ended = make(chan struct{})
	return true
}

// Remove takes the resource out of the set without releasing it: the caller
// owns it again. False says that it is no longer there.
func (r *Resource) Remove() bool {
	if !r.claim() {
		return false
	}
	r.set.mu.Lock()
	defer r.set.mu.Unlock()
	r.set.drop(r)
	close(r.ended)
	return true
}

func (r *Resource) run() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("devres: releasing %s panicked: %v\n%s", r.name, p, debug.Stack())
		}
		if r.set.OnRelease != nil {
			r.set.OnRelease(r.name)
		}
	}()
	r.release()
	return nil
}
