package drm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/udrm/udrm/drm"
)

// model is a device in the plainest form: one
// goroutine, a counter of open guards, and what is waiting for it.
type model struct {
	state   drm.State
	open    int
	closers int // that must not have returned yet
	bound   bool
	unbinds bool // the parent's end waits too
}

func (m *model) enter() error {
	switch {
	case m.state < drm.Live:
		return drm.ErrNotRegistered
	case m.state > drm.Live:
		return drm.ErrUnplugged
	}
	m.open++
	return nil
}

func (m *model) exit() { m.open--; m.settle() }

func (m *model) register() (ok bool) {
	ok = m.state == drm.New
	if ok {
		m.state = drm.Live
	}
	return ok
}

// end is Registration.Close, or the end of the parent.
func (m *model) end(parent bool) {
	if parent {
		m.unbinds = true
	}
	if m.state >= drm.Live {
		m.state = max(m.state, drm.Unplugging)
	}
	m.closers++
	m.settle()
}

// settle lets the unplug go on when no guard is open.
func (m *model) settle() {
	if m.state == drm.Unplugging && m.open == 0 {
		m.state = drm.Drained
	}
	if m.state == drm.Unplugging {
		return
	}
	m.closers = 0
	if m.unbinds {
		m.state, m.bound = drm.Gone, false
	}
}

// TestGuardModel compares a device with the model, step by step, on random
// schedules. After each step all goroutines are blocked, so that one that has
// not returned really waits.
func TestGuardModel(t *testing.T) {
	for seed := range uint64(400) {
		synctest.Test(t, func(t *testing.T) {
			if err := schedule(t, rand.New(rand.NewPCG(seed, 0))); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		})
	}
}

func schedule(t *testing.T, r *rand.Rand) error {
	toy := newUnregisteredToy(t, &drm.Driver{})
	m := &model{state: drm.New, bound: true}
	var guards []*drm.RegistrationGuard
	waiting := make(chan struct{}, 100) // one for each closer that has not returned
	dataReleased := false
	var ctx context.Context
	defer func() {
		for _, g := range guards {
			g.Exit()
		}
		synctest.Wait()
	}()
	var history []string
	for range 5 + r.IntN(40) {
		step := ""
		switch op := r.IntN(20); {
		case op < 8:
			step = "enter"
			guard, err := toy.dev.RegistrationGuard()
			if want := m.enter(); !errors.Is(err, want) || (want == nil) != (err == nil) {
				return fmt.Errorf("%v: guard: %v, want %v", history, err, want)
			}
			if err == nil {
				guards = append(guards, &guard)
				ctx = guard.Device().Context()
			}
		case op < 15 && len(guards) > 0:
			i := r.IntN(len(guards))
			step = fmt.Sprintf("exit %d", i)
			g := guards[i]
			guards = append(guards[:i], guards[i+1:]...)
			m.exit()
			go g.Exit()
		case op < 17:
			step = "register"
			reg, err := toy.made.Register(releaser(func() { dataReleased = true }))
			want := m.register()
			if (err == nil) != want {
				return fmt.Errorf("%v: registering: %v, want success %v", history, err, want)
			}
			if err == nil {
				toy.reg = reg
			}
		case op < 19 && toy.reg != nil:
			step = "close"
			m.end(false)
			waiting <- struct{}{}
			go func() { toy.reg.Close(context.Background()); <-waiting }()
		case op == 19 && !m.unbinds && r.IntN(2) == 0:
			step = "unbind"
			m.end(true)
			waiting <- struct{}{}
			go func() { toy.parent.Unbind(context.Background()); <-waiting }()
		default:
			continue
		}
		history = append(history, step)
		synctest.Wait()
		unplugged := m.state > drm.Live && toy.reg != nil
		switch {
		case toy.dev.State() != m.state:
			return fmt.Errorf("%v: the device is %v, want %v", history, toy.dev.State(), m.state)
		case toy.dev.Guards() != m.open:
			return fmt.Errorf("%v: %d guards are open, want %d", history, toy.dev.Guards(), m.open)
		case len(waiting) != m.closers:
			return fmt.Errorf("%v: %d closers have not returned, want %d", history, len(waiting), m.closers)
		case toy.bound.Bound() != m.bound:
			return fmt.Errorf("%v: the parent is bound: %v", history, toy.bound.Bound())
		case toy.reg != nil && dataReleased != (m.state > drm.Unplugging):
			return fmt.Errorf("%v: in state %v the registration data is released: %v", history, m.state, dataReleased)
		case ctx != nil && (context.Cause(ctx) == drm.ErrUnplugged) != unplugged:
			return fmt.Errorf("%v: in state %v the context ended because of %v", history, m.state, context.Cause(ctx))
		}
	}
	return nil
}
