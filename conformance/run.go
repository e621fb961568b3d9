package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Coverage is what requests answered while cases ran, by request number: how
// often each errno, 0 for success. Requests are entered under the number that
// the client sent.
type Coverage map[uint32]map[unix.Errno]int

// Run runs all cases against the target, each as a test of its own, and
// returns what requests answered. A case whose needs the device does not meet
// fails, or, with Target.Partial, is named in the log.
func Run(t *testing.T, target Target) Coverage {
	return run(t, target, Cases())
}

func run(t *testing.T, target Target, cases []Case) Coverage {
	covered := make(Coverage)
	unmet := ask(t, target, covered)
	var left []string
	for _, c := range cases {
		var missing []string
		c.Needs.closure().each(func(n Needs) {
			if err := unmet[n]; err != nil {
				missing = append(missing, fmt.Sprintf("%s: %v", n, err))
			}
		})
		switch {
		case len(missing) == 0:
			t.Run(c.Name, func(t *testing.T) { c.run(newT(t, target, covered)) })
		case target.Partial:
			left = append(left, fmt.Sprintf("%s needs %s", c.Name, strings.Join(missing, "; ")))
		default:
			t.Run(c.Name, func(t *testing.T) { t.Errorf("the device lacks %s", strings.Join(missing, "; ")) })
		}
	}
	if len(left) > 0 {
		t.Logf("%d of %d cases do not apply to this device:\n%s", len(left), len(cases), strings.Join(left, "\n"))
	}
	return covered
}

// ask asks the device for everything that cases may need. What it does not
// meet is returned, with the reason.
func ask(t *testing.T, target Target, covered Coverage) map[Needs]error {
	unmet := make(map[Needs]error)
	(endOfNeeds - 1).each(func(n Needs) {
		for included := range needsBefore(n) {
			if unmet[included] != nil {
				unmet[n] = fmt.Errorf("it has no %s", included)
				return
			}
		}
		// A test of its own, for what it opens to be closed.
		t.Run("needs/"+strings.ReplaceAll(n.String(), " ", "_"), func(t *testing.T) {
			unmet[n] = needs[n].ask(newT(t, target, covered))
		})
	})
	return unmet
}

// needsBefore yields what n includes, all of which is declared before it.
func needsBefore(n Needs) func(yield func(Needs) bool) {
	return func(yield func(Needs) bool) {
		var list []Needs
		(n.closure() &^ n).each(func(one Needs) { list = append(list, one) })
		for _, one := range list {
			if !yield(one) {
				return
			}
		}
	}
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
