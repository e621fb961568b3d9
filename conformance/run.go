package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Coverage counts the answers of each request: how often it returned each
// errno, 0 for success. Its keys are request numbers as the client sent them.
type Coverage map[uint32]map[unix.Errno]int

// Run runs the cases against the target, each as a test of its own, one after
// the other, and returns the answers of all requests. A case whose needs the
// device does not meet fails. With Target.Partial it is named in the log
// instead.
func Run(t *testing.T, target Target, opts ...Option) Coverage {
	t.Helper()
	o := newOptions(t, opts)
	return run(t, target, o.cases(), o.differs)
}

func run(t *testing.T, target Target, cases []Case, differs map[string]string) Coverage {
	covered := make(Coverage)
	unmet := ask(t, target, covered)
	left := make(map[string][]string) // cases, by what they lack
	has := make(map[string]bool)      // the properties of the device
	if unmet.of(NeedAtomic) == "" {
		has = propertyNames(newTester(t, target, covered))
	}
	for _, c := range cases {
		lacks := unmet.of(c.Needs)
		switch {
		case c.Property() != "" && !has[c.Property()]:
			lacks = "the property " + c.Property()
			left[lacks] = append(left[lacks], c.Name)
		case lacks == "":
			t.Run(c.Name, func(t *testing.T) { runCase(newTester(t, target, covered), c, differs[c.Name]) })
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

// runCase runs a case. With a reason to differ, the case has to fail.
func runCase(t *tester, c Case, differs string) {
	if differs == "" {
		defer t.end()
		c.run(t)
		return
	}
	failures := t.expectFailures(c.run)
	if len(failures) == 0 {
		t.Errorf("passes, but is declared to differ: %s", differs)
		return
	}
	t.Logf("differs: %s\n\t%s", differs, strings.Join(failures, "\n\t"))
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

// unmetNeeds are the needs that a device does not meet, with the reason. A need
// that includes an unmet one has no reason of its own.
type unmetNeeds map[Needs]error

// of returns which of the needs are unmet, and why; "" if all are met.
func (u unmetNeeds) of(needs Needs) string {
	var list []string
	needs.closure().each(func(n Needs) {
		if err := u[n]; err != nil {
			list = append(list, fmt.Sprintf("%s (%v)", n, err))
		}
	})
	return strings.Join(list, ", ")
}

// ask asks the device for everything that cases may need. A need is declared
// after those that it includes.
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

// Errnos returns the errnos that the request returned, in ascending order; 0
// stands for success.
func (c Coverage) Errnos(cmd uint32) []unix.Errno {
	var list []unix.Errno
	for errno := range c[cmd] {
		list = append(list, errno)
	}
	slices.Sort(list)
	return list
}
