package storm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// A Spec says which storm to make. Equal specs and targets make equal storms.
type Spec struct {
	Seed  uint64
	Count int // the number of steps
	Span  int // steps happen among this many requests
}

// The defaults and limits of a [Spec].
const (
	defaultCount = 12
	defaultSpan  = 60
	maxCount     = 200
	maxSpan      = 1_000_000
)

// Usage says how a [Spec] is written.
const Usage = "SEED[:steps=N][:span=N], such as 42 or 42:steps=20"

// Parse parses a spec, such as "42:steps=20:span=500".
func Parse(text string) (Spec, error) {
	words := strings.Split(text, ":")
	s := Spec{Count: defaultCount, Span: defaultSpan}
	var err error
	if s.Seed, err = strconv.ParseUint(words[0], 10, 64); err != nil {
		return s, fmt.Errorf("%q: %q is not a seed, a number; write %s", text, words[0], Usage)
	}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		n, limit := &s.Count, maxCount
		switch name {
		case "steps":
		case "span":
			n, limit = &s.Span, maxSpan
		default:
			return s, fmt.Errorf("%q: unknown word %q; write %s", text, word, Usage)
		}
		if *n, err = strconv.Atoi(value); err != nil || *n < 1 || *n > limit {
			return s, fmt.Errorf("%q: %s is a number from 1 to %d; write %s", text, name, limit, Usage)
		}
	}
	return s, nil
}

// String returns the spec as it is written.
func (s Spec) String() string {
	text := strconv.FormatUint(s.Seed, 10)
	if s.Count != defaultCount {
		text += fmt.Sprintf(":steps=%d", s.Count)
	}
	if s.Span != defaultSpan {
		text += fmt.Sprintf(":span=%d", s.Span)
	}
	return text
}

// A Target is a card that a storm can hit.
type Target struct {
	Card       string   // such as "card0"
	Connectors []string // such as "DP-1"
}

// faults are requests, with an error that each can have on a real card.
var faults = []struct {
	request string
	errors  []string
}{
	{"MODE_CREATE_DUMB", []string{"ENOMEM", "ENOSPC"}},
	{"MODE_MAP_DUMB", []string{"ENOMEM"}},
	{"MODE_ADDFB2,MODE_ADDFB", []string{"ENOMEM", "EINVAL"}},
	{"MODE_ATOMIC", []string{"EBUSY", "EINVAL", "ENOMEM", "ENOSPC"}},
	{"MODE_PAGE_FLIP", []string{"EBUSY", "EINVAL"}},
	{"MODE_SETCRTC", []string{"EINVAL", "ENOSPC"}},
	{"MODE_GETCONNECTOR", []string{"ENOENT"}},
	{"PRIME_HANDLE_TO_FD", []string{"EMFILE"}},
	{"mmap", []string{"ENOMEM"}},
	{"all", []string{"EINTR", "EAGAIN"}},
}

// signals are those that a program ignores unless it asks for them. They interrupt
// its requests.
var signals = []string{"WINCH", "CHLD", "URG", "CONT"}

// maxFrame bounds the numbers of frames, vblanks and events in steps: a program
// sends some requests for each frame.
const maxFrame = 20

// inside are the points at which an unplug can begin, outside those at which a
// request of an unplugged card still arrives.
var (
	inside  = []string{"before", "entered", "handled", "after"}
	outside = []string{"before", "after"}
)

// Steps returns the steps, in the order of the requests that they are aimed at.
// Without targets there are faults and delays only.
func (s Spec) Steps(targets []Target) []string {
	r := rand.New(rand.NewPCG(s.Seed, 0))
	// A generator of its own lets a seed keep most of its storm when variants
	// are added.
	vary := rand.New(rand.NewPCG(s.Seed, 1))
	type step struct {
		at   int
		text string
	}
	var steps []step
	add := func(at int, format string, args ...any) {
		if len(steps) < s.Count {
			steps = append(steps, step{at, fmt.Sprintf(format, args...)})
		}
	}
	for len(steps) < s.Count {
		at := 1 + r.IntN(s.Span)
		kind := r.IntN(10)
		if len(targets) == 0 {
			kind = 9 - r.IntN(4)
		}
		// The numbers are drawn in any case, so that the storm depends on the
		// targets as little as possible.
		point, back, later := pick(r, inside), pick(r, outside), 1+r.IntN(1+s.Span/4)
		which, wait := r.Uint64(), 1+r.IntN(30)
		fault := faults[r.IntN(len(faults))]
		errno := pick(r, fault.errors)
		varied, signal := vary.IntN(4) == 0, pick(vary, signals)
		if kind < 6 {
			t := targets[which%uint64(len(targets))]
			connector := ""
			if len(t.Connectors) > 0 {
				connector = t.Connectors[which/64%uint64(len(t.Connectors))]
			}
			switch {
			case varied && connector != "" && kind < 3: // at a frame
				n := 1 + at%maxFrame
				add(at, "frame#%d:unplug=%s", n, t.Card)
				add(at+later, "all#%d:%s:plug=%s", at+later, back, t.Card)
			case varied && connector != "" && kind == 3:
				add(at, "vblank#%d:disconnect=%s:%s", 1+at%maxFrame, t.Card, connector)
				add(at+later, "all#%d:%s:connect=%s:%s", at+later, back, t.Card, connector)
			case varied && connector != "":
				add(at, "all#%d:%s:badlink=%s:%s", at, point, t.Card, connector)
			case kind < 3 || connector == "":
				add(at, "all#%d:%s:unplug=%s", at, point, t.Card)
				add(at+later, "all#%d:%s:plug=%s", at+later, back, t.Card)
			default:
				add(at, "all#%d:%s:disconnect=%s:%s", at, point, t.Card, connector)
				add(at+later, "all#%d:%s:connect=%s:%s", at+later, back, t.Card, connector)
			}
			continue
		}
		switch {
		case varied && kind == 9:
			add(at, "all#%d:%s:signal=%s", at, point, signal)
			continue
		case varied && kind == 8:
			add(at, "event#%d:delay=%dms", 1+at%maxFrame, wait)
			continue
		case kind == 9:
			add(at, "all#%d:%s:delay=%dms", at, point, wait)
			continue
		}
		// A program sends the same request less often than any.
		n := at
		if fault.request != "all" {
			n = 1 + at%8
		}
		add(at, "%s#%d:error=%s", fault.request, n, errno)
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.at - b.at })
	list := make([]string, len(steps))
	for i, s := range steps {
		list[i] = s.text
	}
	return list
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }
