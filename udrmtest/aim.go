package udrmtest

import (
	"context"
	"fmt"

	"github.com/udrm/udrm/machine/aim"
)

// A Trigger is a rule that [Machine.Aim] has aimed. At the end of the test, it
// must have fired, and its actions must have succeeded: otherwise the test
// fails.
type Trigger struct {
	*aim.Trigger
	m *Machine
}

// Aim aims a rule at the machine, such as "MODE_ATOMIC#3:unplug" or
// "ADDFB2#3:error=ENOSPC". Package aim tells what can be in a rule.
func (m *Machine) Aim(rule string) *Trigger {
	m.t.Helper()
	r, err := aim.Parse(rule)
	m.check(err)
	return m.attach(r)
}

// AimFunc calls f at an event, such as "MODE_ATOMIC#3:handled". The request
// waits until f returns; see package aim for the exceptions. f runs in another
// goroutine than the test, and must not call methods of this package. Its error
// fails the test.
func (m *Machine) AimFunc(event string, f func(context.Context) error) *Trigger {
	m.t.Helper()
	r, err := aim.ParseEvent(event)
	m.check(err)
	r.Func = f
	return m.attach(r)
}

// Aim aims a rule at the card, as [Machine.Aim] does at all cards.
func (c *Card) Aim(rule string) *Trigger {
	c.m.t.Helper()
	r, err := aim.Parse(rule)
	c.m.check(err)
	if r.Card != "" {
		c.m.t.Fatalf("udrmtest: %v: leave out the card", r)
	}
	r.Card = c.card.Label()
	return c.m.attach(r)
}

func (m *Machine) attach(r *aim.Rule) *Trigger {
	m.t.Helper()
	trigger, err := aim.Attach(m.Machine, r, nil)
	m.check(err)
	m.t.Cleanup(func() {
		if err := trigger.Close(); err != nil {
			m.t.Errorf("udrmtest: %v: %v", r, err)
		}
	})
	return &Trigger{trigger, m}
}

// Wait waits until the rule has fired, and its action is done.
func (t *Trigger) Wait() {
	t.m.t.Helper()
	t.m.do(func(ctx context.Context) error {
		if err := t.Trigger.Wait(ctx); err != nil {
			return fmt.Errorf("%v: %w", t.Rule(), err)
		}
		return nil
	})
}
