package udrmcmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/udrm/udrm/machine/aim"
)

// A timedAction is an action of --at: something to do to a card at a time after
// the start of the program.
type timedAction struct {
	after time.Duration
	aim.Action
}

// atUsage says how an action is written.
const atUsage = "TIME:ACTION=CARD, such as 2s:unplug=card0; see \"help at\""

// atHelp is the help of --at.
func atHelp() string {
	var names []string
	for _, kind := range aim.Actions() {
		names = append(names, kind.Name)
	}
	return "Do something at a time after the start of the program, such as 2s:unplug=card0. Repeat the flag for more actions. ACTION is " +
		strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1] + `; see "${name} help at".`
}

// UnmarshalText parses "2s:unplug=card0" or "1s:screenshot=card0=out.png".
func (a *timedAction) UnmarshalText(text []byte) error {
	refuse := func(why string) error {
		return fmt.Errorf("%q: %s; write %s", text, why, atUsage)
	}
	when, what, ok := strings.Cut(string(text), ":")
	if !ok {
		return refuse("there is no colon after the time")
	}
	after, err := time.ParseDuration(when)
	if err != nil || after < 0 {
		return refuse(fmt.Sprintf("%q is not a time", when))
	}
	action, err := aim.ParseAction(what)
	if err != nil {
		return refuse(err.Error())
	}
	*a = timedAction{after, action}
	return nil
}

// String returns the action as it is written after --at.
func (a *timedAction) String() string { return fmt.Sprintf("%v:%v", a.after, &a.Action) }
