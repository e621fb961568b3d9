package srcu

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// Scripts drive a domain one step at a time inside a synctest bubble, so that
// after each step all goroutines have come as far as they can, and it is certain
// which of them wait.
//
// A line of a script is a step, "->", and its results, including those of
// goroutines that it wakes. The steps:
//
//	open, close        the method
//	enter NAME         "ok" or "refused"
//	exit NAME
//	sync NAME          Synchronize on a goroutine of its own: "NAME done" when it returns
//	drain NAME         the same with Drain; "NAME refused" if the domain is not closed
//	cancel NAME        ends the context of sync or drain NAME: "NAME cancelled"
var scripts = []struct{ name, script string }{
	{"shut until opened", `
		enter a -> refused
		sync 1  -> 1 done
		open    ->
		enter a -> ok
		exit a  ->
		open    ->
		enter a -> ok
		exit a  ->`},
	{"closed while shut", `
		close   ->
		enter a -> refused
		drain 1 -> 1 done
		open    ->
		enter a -> refused`},
	{"idle", `
		open    ->
		sync 1  -> 1 done
		close   ->
		drain 2 -> 2 done
		sync 3  -> 3 done
		enter a -> refused`},
	{"drain before close", `
		open    ->
		enter a -> ok
		drain 1 -> 1 refused
		exit a  ->
		drain 2 -> 2 refused`},
	{"a grace period waits for a section and not for a later one", `
		open    ->
		enter a -> ok
		sync 1  ->
		enter b -> ok
		exit a  -> 1 done
		exit b  ->`},
	{"one grace period after the other", `
		open    ->
		enter a -> ok
		sync 1  ->
		enter b -> ok
		exit a  -> 1 done
		sync 2  ->
		enter c -> ok
		exit b  -> 2 done
		sync 3  ->
		exit c  -> 3 done`},
	{"nesting", `
		open    ->
		enter a -> ok
		enter b -> ok
		enter c -> ok
		sync 1  ->
		exit a  ->
		exit c  ->
		exit b  -> 1 done`},
	{"nesting across a close", `
		open    ->
		enter a -> ok
		close   ->
		enter b -> refused
		drain 1 ->
		enter b -> refused
		exit a  -> 1 done
		enter b -> refused`},
	{"close does not wait", `
		open    ->
		enter a -> ok
		close   ->
		close   ->
		exit a  ->
		drain 1 -> 1 done
		close   ->
		drain 2 -> 2 done`},
	{"a cancelled drain is resumed", `
		open     ->
		enter a  -> ok
		enter b  -> ok
		close    ->
		drain 1  ->
		cancel 1 -> 1 cancelled
		enter c  -> refused
		drain 2  ->
		exit a   ->
		cancel 2 -> 2 cancelled
		drain 3  ->
		exit b   -> 3 done
		drain 4  -> 4 done`},
	{"many drain, some give up", `
		open     ->
		enter a  -> ok
		close    ->
		drain 1  ->
		drain 2  ->
		drain 3  ->
		drain 4  ->
		cancel 1 -> 1 cancelled
		cancel 3 -> 3 cancelled
		exit a   -> 2 done, 4 done`},
	{"callers share grace periods", `
		open    ->
		enter a -> ok
		sync 1  ->
		sync 2  ->
		sync 3  ->
		exit a  -> 1 done, 2 done, 3 done`},
	{"who waits for his turn can give up too", `
		open     ->
		enter a  -> ok
		sync 1   ->
		sync 2   ->
		cancel 2 -> 2 cancelled
		sync 3   ->
		cancel 1 -> 1 cancelled
		exit a   -> 3 done`},
	{"a section from before a cancelled grace period", `
		open     ->
		enter a  -> ok
		sync 1   ->
		enter b  -> ok
		cancel 1 -> 1 cancelled
		exit b   ->
		sync 2   ->
		enter c  -> ok
		exit c   ->
		exit a   -> 2 done`},
	{"sections under both indexes", `
		open     ->
		enter a  -> ok
		sync 1   ->
		cancel 1 -> 1 cancelled
		enter b  -> ok
		sync 2   ->
		exit b   ->
		exit a   -> 2 done`},
	{"close in a grace period", `
		open    ->
		enter a -> ok
		sync 1  ->
		enter b -> ok
		close   ->
		enter c -> refused
		exit a  -> 1 done
		drain 2 ->
		exit b  -> 2 done`},
	{"drain in a grace period", `
		open     ->
		enter a  -> ok
		sync 1   ->
		enter b  -> ok
		close    ->
		drain 2  ->
		exit b   ->
		exit a   -> 1 done, 2 done`},
	{"grace period in a drain", `
		open     ->
		enter a  -> ok
		close    ->
		drain 1  ->
		sync 2   ->
		cancel 1 -> 1 cancelled
		drain 3  ->
		exit a   -> 2 done, 3 done
		sync 4   -> 4 done`},
	{"already cancelled, nothing to wait for", `
		open     ->
		cancel 1 ->
		sync 1   -> 1 done
		enter a  -> ok
		cancel 2 ->
		sync 2   -> 2 cancelled
		close    ->
		cancel 3 ->
		drain 3  -> 3 cancelled
		exit a   ->
		cancel 4 ->
		drain 4  -> 4 done`},
}

func TestScripts(t *testing.T) {
	for _, c := range scripts {
		t.Run(c.name, func(t *testing.T) {
			for _, impl := range []struct {
				name string
				make func() domain
			}{
				{"reference", func() domain { return newReference() }},
				{"domain", func() domain { return real{NewShutDomain()} }},
			} {
				t.Run(impl.name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { runScript(t, impl.make(), c.script) })
				})
			}
		})
	}
}

func runScript(t *testing.T, g domain, script string) {
	p := newPlayer(g)
	defer p.finish(t)
	for line := range strings.Lines(strings.TrimSpace(script)) {
		step, want, ok := strings.Cut(line, "->")
		if !ok {
			t.Fatalf("no -> in %q", line)
		}
		want = strings.TrimSpace(want)
		if got := p.step(strings.Fields(step)); got != want {
			t.Fatalf("%s: got %q, want %q", strings.Join(strings.Fields(step), " "), got, want)
		}
		if n := len(p.open); g.Sections() != n {
			t.Fatalf("after %s: Sections() = %d, want %d", step, g.Sections(), n)
		}
	}
}

// A player plays a script on a domain.
type player struct {
	g       domain
	open    map[string]exiter
	waiters map[string]*waiter
	enters  int
}

type waiter struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	started bool
	result  string // read only after synctest.Wait
	told    bool
}

func newPlayer(g domain) *player {
	return &player{g: g, open: map[string]exiter{}, waiters: map[string]*waiter{}}
}

var errCancelled = fmt.Errorf("cancelled by the test: %w", context.Canceled)

func (p *player) waiter(name string) *waiter {
	w := p.waiters[name]
	if w == nil {
		w = &waiter{}
		w.ctx, w.cancel = context.WithCancelCause(context.Background())
		p.waiters[name] = w
	}
	return w
}

func (p *player) start(name string, wait func(context.Context) error) {
	w := p.waiter(name)
	w.started = true
	go func() {
		switch err := wait(w.ctx); {
		case err == nil:
			w.result = "done"
		case errors.Is(err, errNotClosed):
			w.result = "refused"
		case errors.Is(err, errCancelled):
			w.result = "cancelled"
		default:
			w.result = err.Error()
		}
	}()
}

// step plays a step and returns what came of it.
func (p *player) step(f []string) string {
	var out []string
	switch f[0] {
	case "open":
		p.g.Open()
	case "close":
		p.g.Close()
		if !p.g.Closed() {
			out = append(out, "Closed() = false")
		}
	case "enter":
		p.enters++
		s, ok := p.deepEnter(p.enters % 7)
		if ok {
			p.open[f[1]] = s
			out = append(out, "ok")
		} else {
			out = append(out, "refused")
		}
	case "exit":
		left := make(chan struct{})
		go func() { // never the goroutine that entered
			p.open[f[1]].Exit()
			close(left)
		}()
		<-left
		delete(p.open, f[1])
	case "sync":
		p.start(f[1], p.g.Synchronize)
	case "drain":
		p.start(f[1], p.g.Drain)
	case "cancel":
		p.waiter(f[1]).cancel(errCancelled)
	default:
		out = append(out, "no such step")
	}
	synctest.Wait()
	for _, name := range slices.Sorted(maps.Keys(p.waiters)) {
		if w := p.waiters[name]; w.result != "" && !w.told {
			w.told = true
			out = append(out, name+" "+w.result)
		}
	}
	return strings.Join(out, ", ")
}

// deepEnter enters from some depth of the stack, to come to different stripes.
//
//go:noinline
func (p *player) deepEnter(depth int) (exiter, bool) {
	if depth == 0 {
		return p.g.Enter()
	}
	var frame [40]byte
	s, ok := p.deepEnter(depth - 1)
	frame[depth]++
	return s, ok
}

// finish leaves nothing behind in the bubble, so that a failure is reported as
// what it is and not as a deadlock.
func (p *player) finish(t *testing.T) {
	for _, s := range p.open {
		s.Exit()
	}
	synctest.Wait()
	for name, w := range p.waiters {
		if w.started && w.result == "" {
			t.Errorf("%s waits, and no section is open", name)
		}
		w.cancel(errCancelled)
	}
	synctest.Wait()
}

// FuzzScripts plays the same random steps on a Domain and on the reference.
//
// A Domain may wait longer than it must, for sections that began after the
// call, but never less long; and when no section is open no goroutine waits.
func FuzzScripts(f *testing.F) {
	for _, seed := range []string{
		"", "oabcsABC", "oasbAscCdBD", "oaxd0e1fxx0A1", "oasbtcxB0sAuC", "oabxdAe0B1", "\x00\x01\x02\x03oasbtc",
		"oas0btB1cuAC2xd", "oas0bs1cs2ABCxd", "oasbsctABCxdee",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		synctest.Test(t, func(t *testing.T) { compare(t, steps) })
	})
}

func compare(t *testing.T, steps []byte) {
	ref, dom := newPlayer(newReference()), newPlayer(real{NewShutDomain()})
	defer ref.finish(t)
	defer dom.finish(t)
	var played []string
	waits := 0
	for _, b := range steps[:min(len(steps), 200)] {
		var step []string
		switch {
		case b == 'o':
			step = []string{"open"}
		case b == 'x':
			step = []string{"close"}
		case b == 's' || b == 't' || b == 'u':
			step = []string{"sync", fmt.Sprint(waits)}
			waits++
		case b == 'd' || b == 'e':
			step = []string{"drain", fmt.Sprint(waits)}
			waits++
		case '0' <= b && b <= '9' && waits > 0:
			step = []string{"cancel", fmt.Sprint(int(b-'0') * waits / 10)}
		case 'a' <= b && b <= 'n' && ref.open[string(b)] == nil:
			step = []string{"enter", string(b)}
		case 'A' <= b && b <= 'N' && ref.open[string(b-'A'+'a')] != nil:
			step = []string{"exit", string(b - 'A' + 'a')}
		default:
			continue
		}
		played = append(played, strings.Join(step, " "))
		r, d := ref.step(step), dom.step(step)
		if step[0] == "enter" && r != d {
			t.Fatalf("%s: %q, reference %q", strings.Join(played, ", "), d, r)
		}
		if dom.g.Sections() != ref.g.Sections() || dom.g.Closed() != ref.g.Closed() {
			t.Fatalf("%s: %d sections, closed %t; reference %d, %t", strings.Join(played, ", "),
				dom.g.Sections(), dom.g.Closed(), ref.g.Sections(), ref.g.Closed())
		}
		for name, w := range dom.waiters {
			if w.result == "done" && ref.waiters[name].result != "done" {
				t.Fatalf("%s: %s done, reference %q", strings.Join(played, ", "), name, ref.waiters[name].result)
			}
			if w.started && w.result == "" && len(dom.open) == 0 {
				t.Fatalf("%s: %s waits, and no section is open", strings.Join(played, ", "), name)
			}
		}
	}
}
