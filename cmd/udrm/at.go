package main

import (
	"fmt"
	"strings"
	"time"
)

// A timedAction is what the user asked for with --at: do something to a card,
// some time after the program was started.
type timedAction struct {
	after  time.Duration
	action string // one of actions
	card   string // "card0"
	file   string // for screenshot
}

// actions are what --at can do, with what each does to the card.
var actions = map[string]func(c *cards, a timedAction) error{
	"unplug":     func(c *cards, a timedAction) error { return c.unplug(a.card) },
	"unbind":     func(c *cards, a timedAction) error { return c.unbind(a.card) },
	"plug":       func(c *cards, a timedAction) error { return c.plug(a.card) },
	"screenshot": func(c *cards, a timedAction) error { return c.screenshot(a.card, a.file) },
}

const atUsage = "TIME:ACTION=CARD, such as 2s:unplug=card0; ACTION is unplug (the cable is pulled), unbind (planned), plug or screenshot (which takes =CARD=FILE.png)"

// UnmarshalText parses "2s:unplug=card0" or "1s:screenshot=card0=out.png".
func (a *timedAction) UnmarshalText(text []byte) error {
	refuse := func(why string) error {
		return fmt.Errorf("%q: %s; it must read %s", text, why, atUsage)
	}
	when, what, ok := strings.Cut(string(text), ":")
	if !ok {
		return refuse("no colon after the time")
	}
	after, err := time.ParseDuration(when)
	if err != nil || after < 0 {
		return refuse(fmt.Sprintf("%q is not a time", when))
	}
	action, card, ok := strings.Cut(what, "=")
	if !ok {
		return refuse("no card")
	}
	if actions[action] == nil {
		return refuse(fmt.Sprintf("unknown action %q", action))
	}
	card, file, hasFile := strings.Cut(card, "=")
	if hasFile != (action == "screenshot") || hasFile && file == "" {
		return refuse("a screenshot, and nothing else, takes a file")
	}
	if _, err := cardIndex(card); err != nil {
		return refuse(err.Error())
	}
	*a = timedAction{after: after, action: action, card: card, file: file}
	return nil
}

func (a timedAction) String() string {
	s := fmt.Sprintf("%v:%s=%s", a.after, a.action, a.card)
	if a.file != "" {
		s += "=" + a.file
	}
	return s
}
