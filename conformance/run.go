package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Coverage is what requests answered while cases ran, by request number: how
// often each errno, 0 for success. Requests are entered under the number that
// the client sent.
type Coverage map[uint32]map[unix.Errno]int

// Run runs all cases against the target, each as a test of its own, one after
// the other, and returns what requests answered. A case whose needs the device
// does not meet fails, or, with Target.Partial, is named in the log.
func Run(t *testing.T, target Target) Coverage {
	return run(t, target, Cases())
}

func run(t *testing.T, target Target, cases []Case) Coverage {
	covered := make(Coverage)
	unmet := ask(t, target, covered)
	left := make(map[string][]string) // cases, by what they lack
	for _, c := range cases {
		lacks := unmet.of(c.Needs)
		switch {
		case lacks == "":
			t.Run(c.Name, func(t *testing.T) {
				tester := newTester(t, target, covered)
				defer tester.end()
				c.run(tester)
			})
		case target.Partial:
			left[lacks] = append(left[lacks], c.Name)
		default:
			t.Run(c.Name, func(t *testing.T) { t.Errorf("the device lacks %s", lacks) })
		}
	}
	if len(left) > 0 {
		t.Log(summary(left, len(cases)))
	}
	return covered
}

func summary(left map[string][]string, all int) string {
	var text strings.Builder
	n := 0
	for _, lacks := range slices.Sorted(maps.Keys(left)) {
		n += len(left[lacks])
		fmt.Fprintf(&text, "\nthe device lacks %s:\n\t%s", lacks, strings.Join(left[lacks], "\n\t"))
	}
	return fmt.Sprintf("%d of %d cases do not apply to this device:%s", n, all, &text)
}

// unmetNeeds are the needs that a device does not meet, with the reason; those
// that include another such have none of their own.
type unmetNeeds map[Needs]error

// of says what of the needs is unmet, and why; "" when nothing is.
func (u unmetNeeds) of(needs Needs) string {
	var list []string
	needs.closure().each(func(n Needs) {
		if err := u[n]; err != nil {
			list = append(list, fmt.Sprintf("%s (%v)", n, err))
		}
	})
	return strings.Join(list, ", ")
}

// ask asks the device for everything that cases may need. What a need includes
// is declared ahead of it.
func ask(t *testing.T, target Target, covered Coverage) unmetNeeds {
	unmet := make(unmetNeeds)
	(endOfNeeds - 1).each(func(n Needs) {
		if unmet.of(includes[n]) != "" {
			return
		}
		if err := newTester(t, target, covered).probe(needs[n].ask); err != nil {
			unmet[n] = err
		}
	})
	return unmet
}

func (c Coverage) add(cmd uint32, errno unix.Errno) {
	if c[cmd] == nil {
		c[cmd] = make(map[unix.Errno]int)
	}
	c[cmd][errno]++
}

// Errnos returns the errors that the request answered, in ascending order; 0
// stands for success.
func (c Coverage) Errnos(cmd uint32) []unix.Errno {
	var list []unix.Errno
	for errno := range c[cmd] {
		list = append(list, errno)
	}
	slices.Sort(list)
	return list
}
