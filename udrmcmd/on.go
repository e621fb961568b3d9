package udrmcmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/udrm/udrm/machine/aim"
)

// An aimedRule is a rule of --on: what to do at an event.
type aimedRule struct{ *aim.Rule }

// UnmarshalText parses "MODE_ATOMIC#3:unplug".
func (r *aimedRule) UnmarshalText(text []byte) (err error) {
	if r.Rule, err = aim.Parse(string(text)); err != nil {
		err = fmt.Errorf("%w; see \"help on\"", err)
	}
	return err
}

// onTopic returns the help on --on, with the table of actions.
func (a *app) onTopic() string {
	var forms strings.Builder
	for _, kind := range aim.Actions() {
		form := strings.NewReplacer("=CARD[:CONNECTOR]=", "=[CARD[:CONNECTOR]=]", "=CARD:", "=[CARD:]", "=CARD=", "=[CARD=]", "=CARD", "[=CARD]").Replace(kind.Form)
		fmt.Fprintf(&forms, "    %s\n", form)
	}
	return strings.Replace(fileTopic("on")(a), "{{actions}}", forms.String(), 1)
}

// rules returns the rules of --on, as they are written.
func (cmd *runCmd) rules() (list []string) {
	for _, rule := range cmd.On {
		list = append(list, rule.String())
	}
	return list
}

// aimRules aims the rules of --on at the machine.
func (r *runner) aimRules() error {
	var errs []error
	for _, rule := range r.On {
		trigger, err := aim.Attach(r.machine, rule.Rule, r.log)
		if err != nil {
			errs = append(errs, fmt.Errorf("--on %v: %w", rule, err))
			continue
		}
		r.triggers = append(r.triggers, trigger)
	}
	return errors.Join(errs...)
}

// endRules detaches the rules, and reports those that never fired: those of
// --on, and those that the command on has added.
func (r *runner) endRules() {
	triggers := r.triggers
	if r.server != nil {
		triggers = append(triggers, r.server.Triggers()...)
	}
	r.endStorm()
	for _, t := range triggers {
		err := t.Close()
		r.report.happened("--on "+t.Rule().String(), t.Times()...)
		switch {
		case errors.Is(err, aim.ErrNotFired):
			r.fail(t.Rule(), err)
		case err != nil: // the trigger has logged it
			r.report.failed(t.Rule().String(), err)
			r.count()
		}
	}
}
