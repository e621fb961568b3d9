package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/srcu"
)

// A wait is one way to end a thing and to wait for its users.
type wait struct {
	name string

	// take does it once, or several times in a row, and returns the time of
	// one.
	take func() time.Duration
}

const (
	idleSynchronize = "srcu Synchronize"
	idleDrain       = "srcu Close + Drain"
	idleUnplug      = "drm Registration.Close"
	lastExit        = "srcu Exit to Drain"
	lastGuard       = "drm guard Exit to Registration.Close"
)

// waits are in groups, each with its reference first.
var waits = []struct {
	title string
	all   []wait
}{
	{"unplug, idle", []wait{
		{"sync.RWMutex Lock + Unlock", idleRWMutex},
		{idleSynchronize, idleSynchronizing},
		{idleDrain, idleDraining},
		{idleUnplug, idleUnplugging},
	}},
	{"unplug, from the last exit", []wait{
		{"send to receive on a channel", lastSend},
		{"sync.RWMutex RUnlock to Lock", lastRUnlock},
		{lastExit, lastSection},
		{lastGuard, lastGuardOfAll},
	}},
	{"unplug, under load of one per P", []wait{
		{"sync.RWMutex Lock, busy", busyRWMutex},
		{"srcu Close + Drain, busy", busyDomain},
		{"drm Registration.Close, busy", busyDevice},
	}},
}

func reportLatencies(w io.Writer, procs, rounds int, results *results, goals *goals) {
	for _, group := range waits {
		taken := takeTurns(rounds, len(group.all), func(i int) float64 {
			return float64(group.all[i].take())
		})
		fmt.Fprintf(w, "  %s\n", group.title)
		for i, wait := range group.all {
			fmt.Fprintf(w, "    %-38s%14.0f ns %9.2f×\n", wait.name, taken[i].median(), taken[i].over(taken[0]))
			results.add(procs, taken[i].median(), taken[i].over(taken[0]), "Wait", wait.name)
			goals.wait(procs, wait.name, taken[i])
		}
	}
}

// inARow is the number of idle waits in a turn.
const inARow = 50

// each makes inARow things, ends them, and returns the time of one end.
func each[T any](make func() T, end func(T)) time.Duration {
	var things [inARow]T
	for i := range things {
		things[i] = make()
	}
	start := time.Now()
	for _, thing := range things {
		end(thing)
	}
	return time.Since(start) / inARow
}

func idleRWMutex() time.Duration {
	return each(func() *sync.RWMutex { return new(sync.RWMutex) }, func(mu *sync.RWMutex) {
		mu.Lock()
		mu.Unlock() //lint:ignore SA2001 this is what is measured
	})
}

func idleSynchronizing() time.Duration {
	return each(srcu.NewDomain, func(d *srcu.Domain) { must(d.Synchronize(context.Background())) })
}

func idleDraining() time.Duration { return each(srcu.NewDomain, closeAndDrain) }

func closeAndDrain(d *srcu.Domain) {
	d.Close()
	must(d.Drain(context.Background()))
}

func idleUnplugging() time.Duration {
	class := drm.NewClass(drm.ClassOptions{})
	var remove []func()
	took := each(func() *drm.Registration {
		registration, removeParent := newRegistration(class)
		remove = append(remove, removeParent)
		return registration
	}, unplug)
	for _, f := range remove {
		f()
	}
	return took
}

func unplug(r *drm.Registration) { must(r.Close(context.Background())) }

// fromLast returns the time from exit to the return of wait, which is parked
// before exit runs.
func fromLast(exit, wait func()) time.Duration {
	returned := make(chan time.Time)
	go func() {
		wait()
		returned <- time.Now()
	}()
	time.Sleep(100 * time.Microsecond) // nothing tells when a goroutine is parked
	start := time.Now()
	exit()
	return (<-returned).Sub(start)
}

func lastSend() time.Duration {
	c := make(chan struct{}, 1)
	return fromLast(func() { c <- struct{}{} }, func() { <-c })
}

func lastRUnlock() time.Duration {
	var mu sync.RWMutex
	mu.RLock()
	return fromLast(mu.RUnlock, mu.Lock)
}

func lastSection() time.Duration {
	d := srcu.NewDomain()
	section, ok := d.Enter()
	if !ok {
		refuse()
	}
	return fromLast(section.Exit, func() { closeAndDrain(d) })
}

func lastGuardOfAll() time.Duration {
	registration, remove := newRegistration(drm.NewClass(drm.ClassOptions{}))
	defer remove()
	guard, err := registration.Device().RegistrationGuard()
	must(err)
	return fromLast(guard.Exit, func() { unplug(registration) })
}

// underLoad returns the time of end while one goroutine per P calls use, which
// reports whether it got in.
func underLoad(use func() bool, end func()) time.Duration {
	var began, ended sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		began.Add(1)
		ended.Go(func() {
			use()
			began.Done()
			for use() {
			}
		})
	}
	began.Wait()
	start := time.Now()
	end()
	took := time.Since(start)
	ended.Wait()
	return took
}

func busyRWMutex() time.Duration {
	var mu sync.RWMutex
	gone := false
	return underLoad(func() bool {
		mu.RLock()
		defer mu.RUnlock()
		return !gone
	}, func() {
		mu.Lock()
		gone = true
		mu.Unlock()
	})
}

func busyDomain() time.Duration {
	d := srcu.NewDomain()
	return underLoad(func() bool {
		section, ok := d.Enter()
		if ok {
			section.Exit()
		}
		return ok
	}, func() { closeAndDrain(d) })
}

func busyDevice() time.Duration {
	registration, remove := newRegistration(drm.NewClass(drm.ClassOptions{}))
	defer remove()
	dev := registration.Device()
	return underLoad(func() bool {
		guard, err := dev.RegistrationGuard()
		if err != nil {
			return false
		}
		guard.Exit()
		return true
	}, func() { unplug(registration) })
}
