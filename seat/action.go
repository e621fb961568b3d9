package seat

import (
	"fmt"
	"slices"
	"strings"
)

// Actions are the names of what a seat can be told to do, for [Seat.Do].
var Actions = []string{"pause", "resume", "revoke", "restore"}

// CheckAction returns an error if Do does not know an action.
func CheckAction(action string) error {
	if !slices.Contains(Actions, action) {
		return fmt.Errorf("%q is not an action of a seat; write %s", action, strings.Join(Actions, ", "))
	}
	return nil
}

// Do calls the method with that name.
func (s *Seat) Do(action string) error {
	switch action {
	case "pause":
		s.Pause()
	case "resume":
		s.Resume()
	case "revoke":
		s.Revoke()
	case "restore":
		s.Restore()
	}
	return CheckAction(action)
}
