package srcu

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// The tests in this file are about goroutines that were held up between two
// steps of an enter or exit. They take the steps of such a goroutine one by one
// themselves: an enter that read the state and not yet changed its word is a
// word and a call of its enter still to come.

// choose returns the word that an Enter by this goroutine would use now.
func choose(d *Domain) *word { return d.word(uintptr(d.state.Load() & stateIndex)) }

func mustEnter(t *testing.T, w *word) Section {
	t.Helper()
	if !w.enter() {
		t.Fatal("enter failed")
	}
	return Section{w}
}

// An enter that read the state of an open domain and comes to its word after
// Close fails, whatever happened in between, and does not count as a section.
func TestLateEnterMeetsTheClosedWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newStriped()
		late := choose(d)
		refused := func(when string) {
			t.Helper()
			if late.enter() {
				Section{late}.Exit()
				t.Errorf("%s: a section began", when)
			}
		}

		a := mustEnter(t, late)
		d.Close()
		refused("after Close, a section open")
		if n := d.Sections(); n != 1 {
			t.Errorf("%d sections, want 1", n)
		}

		drained := false
		go func() {
			if err := d.Drain(context.Background()); err != nil {
				t.Error(err)
			}
			drained = true
		}()
		synctest.Wait()
		refused("while Drain waits")
		synctest.Wait()
		if drained {
			t.Fatal("Drain returned before the section ended")
		}

		a.Exit()
		refused("after the last exit")
		synctest.Wait()
		refused("after Drain")
		if !drained {
			t.Fatal("Drain waits, and no section is open")
		}
		if n := d.Sections(); n != 0 {
			t.Errorf("%d sections, want 0", n)
		}
	})
}

func TestLateEnterMeetsTheClosedWordOfAnIdleDomain(t *testing.T) {
	d := newStriped()
	late := choose(d)
	d.Close()
	for when, wait := range map[string]func(context.Context) error{"drain": d.Drain, "grace period": d.Synchronize} {
		if err := wait(context.Background()); err != nil {
			t.Fatal(when, err)
		}
		if late.enter() {
			t.Fatal("a section began after", when)
		}
	}
}

// A late enter that has raised the count and not yet lowered it again does not
// make a drain wait once its word was drained, and wakes it otherwise.
func TestLateEnterDoesNotHoldUpDrain(t *testing.T) {
	for _, c := range []struct {
		name  string
		waits bool
		hold  func(d *Domain, late *word)
	}{
		{"never used", true, func(d *Domain, late *word) { d.Close() }},
		{"drained", false, func(d *Domain, late *word) {
			late.enter()
			d.Close()
			Section{late}.Exit()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newStriped()
				late := choose(d)
				c.hold(d, late)
				if v := atomic.AddInt64(&late.n, 1); v >= 0 { // the first half of a late enter
					t.Fatalf("the late enter read %#x and takes that for success", v)
				}
				done := false
				go func() {
					if err := d.Drain(context.Background()); err != nil {
						t.Error(err)
					}
					done = true
				}()
				synctest.Wait()
				if done == c.waits {
					t.Errorf("before the second half: Drain returned: %t, want %t", done, !c.waits)
				}
				if late.entered() { // the second half
					t.Error("a section began in a closed domain")
				}
				synctest.Wait()
				if !done {
					t.Error("Drain waits, and no section is open")
				}
			})
		})
	}
}

// An enter that read the state before a flip lands under the index that the
// next grace period is going to flip to.
func TestLateEnterIsWaitedForAfterAFlip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newStriped()
		late := choose(d)
		a := mustEnter(t, late)
		first := make(chan error, 1)
		go func() { first <- d.Synchronize(context.Background()) }()
		synctest.Wait()
		a.Exit()
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		if choose(d) == late {
			t.Fatal("a grace period that had to wait did not flip the index")
		}

		b := mustEnter(t, late)
		done := false
		go func() {
			if err := d.Synchronize(context.Background()); err != nil {
				t.Error(err)
			}
			done = true
		}()
		synctest.Wait()
		if done {
			t.Error("Synchronize missed the section of a late enter")
		}
		b.Exit()
		synctest.Wait()
		if !done {
			t.Error("Synchronize waits, and no section is open")
		}
	})
}

// An exit took the count to zero and was held up. Meanwhile another section
// began and the domain was closed: what the exit meant to do to the word is now
// wrong.
func TestLateExitLeavesTheClosedWordAlone(t *testing.T) {
	d := newStriped()
	w := choose(d)
	mustEnter(t, w)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := d.Synchronize(cancelled); err == nil {
		t.Fatal("Synchronize missed a section")
	}
	v := atomic.AddInt64(&w.n, -1) // first half of the exit, which was asked for attention
	second := mustEnter(t, w)
	d.Close()
	w.exited(v) // second half
	if w.enter() {
		Section{w}.Exit()
		t.Error("a section began in a closed domain")
	}
	if err := d.Drain(cancelled); err == nil {
		t.Error("Drain missed the second section")
	}
	second.Exit()
	if err := d.Drain(context.Background()); err != nil {
		t.Error(err)
	}
}

// The same with a waiter and no second section: it is still up to the exit to
// wake.
func TestLateExitWakesAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newStriped()
		w := choose(d)
		mustEnter(t, w)
		returned := make(chan error, 1)
		go func() { returned <- d.Synchronize(context.Background()) }()
		synctest.Wait()
		v := atomic.AddInt64(&w.n, -1)
		d.Close()
		w.exited(v)
		synctest.Wait()
		select {
		case err := <-returned:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("Synchronize waits, and no section is open")
		}
		if w.enter() {
			t.Error("a section began in a closed domain")
		}
	})
}
