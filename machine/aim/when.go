package aim

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A When says at which of its events a rule fires: at the first, and each step
// events after it until the last. It is strace's when=.
type When struct{ First, Last, Step uint64 }

// always and once are the defaults.
var (
	each = When{1, math.MaxUint64, 1}
	once = When{1, 1, 1}
)

// parseWhen parses FIRST[..LAST][+[STEP]].
func parseWhen(text string) (When, error) {
	span, step, hasStep := strings.Cut(text, "+")
	first, last, hasLast := strings.Cut(span, "..")
	w := When{Step: 1}
	var err error
	number := func(s string) (n uint64) {
		n, e := strconv.ParseUint(s, 10, 63)
		if e != nil || n == 0 {
			err = fmt.Errorf("%q is not a time to fire: write 3, 3+, 3..5 or 3+2", text)
		}
		return n
	}
	w.First = number(first)
	w.Last = w.First
	if hasStep {
		w.Last = math.MaxUint64
		if step != "" {
			w.Step = number(step)
		}
	}
	if hasLast {
		w.Last = number(last)
	}
	if err == nil && w.Last < w.First {
		err = fmt.Errorf("%q ends before it begins", text)
	}
	return w, err
}

// matches reports whether a rule fires at its nth event.
func (w When) matches(n uint64) bool {
	return n >= w.First && n <= w.Last && (n-w.First)%w.Step == 0
}

// String returns w as it is written.
func (w When) String() string {
	s := strconv.FormatUint(w.First, 10)
	if w.Last == w.First {
		return s
	}
	if w.Last != math.MaxUint64 {
		s += ".." + strconv.FormatUint(w.Last, 10)
		if w.Step == 1 {
			return s
		}
	}
	s += "+"
	if w.Step != 1 {
		s += strconv.FormatUint(w.Step, 10)
	}
	return s
}
