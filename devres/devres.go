// Package devres manages the resources of one binding between a device and its
// driver: it releases what probe acquired, newest first, when the device is
// unbound or when probe fails half-way.
//
// A driver acquires a resource and at once adds its release to the [Set] of the
// bound device. From then on the driver need not think of it: no error path of
// probe and no order of removal can be wrong. This is the kernel's devres
// (Documentation/driver-api/driver-model/devres.rst).
//
// Package bus owns one Set for each binding. Package drm adds registrations to
// it, so that unbinding the parent unplugs the DRM device before the resources
// that the device uses go away.
//
// Lock order: [Set].mu is a leaf. A resource is claimed with it held and
// released without, so a release function may call the methods of its Set,
// except [Set.ReleaseAll], which would wait for its caller.
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

// ErrReleased says that the binding has ended or is ending: nothing can be
// added to it.
var ErrReleased = errors.New("devres: the binding has ended")

// A Set holds the managed resources of one binding. The zero value is an
// empty set, ready for use. All methods may be called concurrently.
type Set struct {
	// OnRelease, if not nil, is called with the name of each resource right
	// after its release. It must be set before the first Add.
	OnRelease func(name string)

	mu        sync.Mutex
	resources []*Resource // oldest first, including those that are being released
	released  bool
}

// A Resource is one managed resource: a name for reports, and the function
// that releases it.
type Resource struct {
	set     *Set
	name    string
	release func()

	// ended is made when the release of the resource begins, guarded by Set.mu,
	// and closed when it is complete.
	ended chan struct{}
}

// Add adds a resource: release runs when the binding ends, before the release
// of everything that was added earlier. If the binding has ended, Add runs
// release at once and returns an error that wraps [ErrReleased], so the caller
// need not clean up (devm_add_action_or_reset).
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
// returns when all are released. In its turn, it waits for a resource that
// [Resource.Release] is releasing: older resources, which that one may use, are
// still there. Add itself releases resources that are added meanwhile. A panic
// in a release function becomes part of the returned error; the other resources
// are released all the same.
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

// newest closes the set for additions and returns its newest resource. If mine,
// the caller must release it; otherwise another goroutine is releasing it.
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

// finish releases r, which the caller has claimed, and removes it from the
// list.
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

// Release releases the resource now, before the end of the binding. It reports
// false if another goroutine has released or removed it, or is about to. The
// end of the binding waits for Release before it goes on to older resources.
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

// Remove removes the resource from the set without releasing it: the caller
// owns it again. It reports false if the resource is no longer in the set.
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
