package udrmtest

import (
	"strings"

	"github.com/udrm/udrm/machine/report"
)

// Expect states what must have happened at the end of the test, such as
// "frames>=60", "no-errors", "no-leaks" or "matches:card0:DP-1=golden.png": the
// rules of udrm run --expect, except for exit. A rule that does not hold fails
// the test. What happened before the call does not count.
func (m *Machine) Expect(rules ...string) {
	m.t.Helper()
	recorder := report.NewRecorder()
	var list []*report.Expectation
	for _, rule := range rules {
		e, err := report.Parse(rule)
		m.check(err)
		if strings.HasPrefix(rule, "exit") {
			m.t.Fatalf("udrmtest: Expect(%q): a machine has many programs; use Process.WantExit", rule)
		}
		m.check(e.CheckPlace(m.Machine))
		list = append(list, e)
	}
	stop := report.Watch(list, m.Machine, recorder)
	detach := recorder.Attach(m.Machine)
	m.expected = append(m.expected, func() {
		stop()
		detach()
		content := recorder.Report(m.Machine, true)
		for _, e := range list {
			if failed := e.Check(content); failed != "" {
				m.t.Errorf("udrmtest: expected %v, but %s", e, failed)
			}
		}
	})
}
