package srcu

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

func enter(t testing.TB, d *Domain) Section {
	t.Helper()
	s, ok := d.Enter()
	if !ok {
		t.Fatal("Enter failed on an open domain")
	}
	return s
}

// Exits too many are caught when no section is left that they could take the
// place of, and leave the domain usable.
func TestExitTooMany(t *testing.T) {
	exitPanics := func(t *testing.T, s Section) {
		t.Helper()
		defer func() {
			t.Helper()
			if msg, _ := recover().(string); !strings.Contains(msg, "not open") {
				t.Errorf("panic %q does not say that the section is not open", msg)
			}
		}()
		s.Exit()
		t.Error("no panic")
	}
	t.Run("open", func(t *testing.T) {
		d := newStriped()
		s := enter(t, d)
		copied := s
		s.Exit()
		exitPanics(t, copied)
		if n := d.Sections(); n != 0 {
			t.Errorf("%d sections after it, want 0", n)
		}
		enter(t, d).Exit()
		if err := d.Synchronize(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Run("closed", func(t *testing.T) {
		d := newStriped()
		late := choose(d)
		s := enter(t, d)
		d.Close()
		s.Exit()
		exitPanics(t, s)
		if err := d.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		if late.enter() {
			t.Error("a section began in a closed domain")
		}
	})
	t.Run("attention", func(t *testing.T) {
		d := newStriped()
		s := enter(t, d)
		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		if err := d.Synchronize(cancelled); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		s.Exit()
		exitPanics(t, s)
		if err := d.Synchronize(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// A stand-in calls its function at each Exit, also of a copy, and concerns no
// domain.
func TestStandIn(t *testing.T) {
	d := NewDomain()
	exits := 0
	s := NewStandIn(func() { exits++ })
	for _, s := range []Section{s, s, s} {
		s.Exit()
	}
	if exits != 3 {
		t.Errorf("3 exits of a stand-in called its function %d times", exits)
	}
	if d.Sections() != 0 || nowhere.Sections() != 0 {
		t.Error("a stand-in is counted")
	}
}

func TestErrorsSayWhatIsOpen(t *testing.T) {
	d := NewDomain()
	a, b := enter(t, d), enter(t, d)
	why := errors.New("the operator lost patience")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	d.Close()
	for name, wait := range map[string]func(context.Context) error{"Drain": d.Drain, "Synchronize": d.Synchronize} {
		err := wait(ctx)
		if !errors.Is(err, why) || !strings.Contains(err.Error(), "2 sections open") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a.Exit()
	b.Exit()
}

func TestNoAllocation(t *testing.T) {
	d := NewDomain()
	closed := NewDomain()
	closed.Close()
	stripedClosed := newStriped()
	stripedClosed.Close()
	busy := NewDomain()
	enter(t, busy)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_ = busy.Synchronize(cancelled) // leaves attention behind
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"pair", func() { s, _ := d.Enter(); s.Exit() }},
		{"pair with attention", func() { s, _ := busy.Enter(); s.Exit() }},
		{"refused", func() { closed.Enter() }},
		{"late", func() { choose(stripedClosed).enter() }},
		{"idle Synchronize", func() { _ = d.Synchronize(context.Background()) }},
		{"idle Drain", func() { _ = closed.Drain(context.Background()) }},
		{"Close", func() { closed.Close() }},
		{"Sections", func() { busy.Sections() }},
	} {
		if n := testing.AllocsPerRun(100, c.f); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// No two stripes, and no stripe and the state, share a cache line.
func TestCacheLines(t *testing.T) {
	line := func(p unsafe.Pointer) uintptr { return uintptr(p) / lineSize }
	for _, procs := range []int{1, 2, 3, 8, 64} {
		var d *Domain
		atProcs(procs, func() { d = newStriped() })
		used := map[uintptr]bool{}
		hot := unsafe.Pointer(&d.gate)
		if first, last := line(hot), line(unsafe.Add(hot, gateSize-1)); first != last {
			t.Errorf("GOMAXPROCS %d: what an enter reads is on two lines", procs)
		}
		if line(hot) == line(unsafe.Pointer(&d.waiting)) {
			t.Errorf("GOMAXPROCS %d: the waiter writes to the line of the state", procs)
		}
		used[line(hot)] = true
		n := 0
		for i := 0; i < len(d.words); i += int(wordsPerLine) {
			first := line(unsafe.Pointer(&d.words[i]))
			last := line(unsafe.Add(unsafe.Pointer(&d.words[i+1]), wordSize-1))
			if first != last || used[first] {
				t.Errorf("GOMAXPROCS %d: stripe %d is not alone on one line", procs, n)
			}
			used[first] = true
			n++
		}
		if n < 4*procs {
			t.Errorf("GOMAXPROCS %d: %d stripes, want at least 4 per P", procs, n)
		}
		for range 100 {
			within := false
			for index := range uint64(2) {
				for w := range d.under(index) {
					within = within || w == d.word(uintptr(index))
				}
			}
			if !within {
				t.Fatalf("GOMAXPROCS %d: the word that was picked is not one that waiters look at", procs)
			}
		}
	}
}

// atProcs runs f with that GOMAXPROCS.
func atProcs(procs int, f func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
	f()
}
