package drm_test

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// The specification of a card whose devices come and go, one after the other,
// under one name: what each step does, and when it may happen. A history of
// concurrent users obeys it if the steps can be put into some order, each
// between the call and the return of its user, so that every step is allowed
// where it stands (linearizability).
//
// An operation that takes long is several steps within one interval. An unplug
// is a stop, a drain and, when the parent goes too, a release and a drop.
// Guards exit between the stop and the drain, and the unplug returns after
// both.

type historyStep string

const (
	stepAdd      historyStep = "add"      // the parent appears; refused while there is another of its name
	stepRegister historyStep = "register" // guards can be taken
	stepEnter    historyStep = "enter"    // a guard is taken
	stepUse      historyStep = "use"      // the hardware is used, inside a guard
	stepExit     historyStep = "exit"     // the guard exits
	stepStop     historyStep = "stop"     // guards can no longer be taken
	stepDrain    historyStep = "drain"    // no guard is open any more
	stepRelease  historyStep = "release"  // the hardware is gone
	stepDrop     historyStep = "drop"     // the name of the parent is free
)

// historyInput says what was tried: a step of a device of a card.
type historyInput struct {
	card   int
	device int // in the order of their coming, from 1; 0 when an add was refused
	step   historyStep
}

type historyOutput string

const (
	done          historyOutput = "done"
	failed        historyOutput = "failed"
	notRegistered historyOutput = "not registered"
	unplugged     historyOutput = "unplugged"
)

// historyState is the state of a card.
type historyState struct {
	device  int    // the newest; 0: none yet
	wasLive uint64 // a bit for each device: it was registered at some time
	present bool   // its parent is on the bus

	// Of the newest device. All older ones are stopped, drained and released.
	stopped, drained, released bool
	open                       int
}

func (s historyState) live() bool { return s.wasLive>>s.device&1 != 0 }

// next returns the state after the step, and whether it may happen.
func (s historyState) next(in historyInput, out historyOutput) (historyState, bool) {
	switch {
	case in.step == stepAdd && out == failed:
		return s, s.present
	case in.step == stepAdd:
		allowed := !s.present && in.device == s.device+1 && (s.device == 0 || s.released)
		return historyState{device: in.device, wasLive: s.wasLive, present: true}, allowed
	case in.device > s.device:
		return s, false // it does not exist
	case in.device < s.device:
		past := historyState{device: in.device, wasLive: s.wasLive, stopped: true, drained: true, released: true}
		after, allowed := past.next(in, out)
		return s, allowed && after == past
	}
	switch in.step {
	case stepRegister:
		if s.stopped {
			return s, out == failed
		}
		allowed := !s.live()
		s.wasLive |= 1 << s.device
		return s, allowed // failed: the stop is a step of its own
	case stepEnter:
		switch out {
		case done:
			s.open++
			return s, s.live() && !s.stopped
		case notRegistered:
			return s, !s.live()
		case unplugged:
			return s, s.stopped
		}
	case stepUse:
		return s, out == done && s.open > 0 && !s.released
	case stepExit:
		s.open--
		return s, s.open >= 0
	case stepStop:
		s.stopped = true
		return s, true
	case stepDrain:
		s.drained = true
		return s, s.stopped && s.open == 0
	case stepRelease:
		allowed := s.drained && !s.released
		s.released = true
		return s, allowed
	case stepDrop:
		allowed := s.present && s.released
		s.present = false
		return s, allowed
	}
	return s, false
}

// historyModel is the specification as porcupine takes it.
var historyModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		var cards [][]porcupine.Operation
		for _, op := range history {
			card := op.Input.(historyInput).card
			for len(cards) <= card {
				cards = append(cards, nil)
			}
			cards[card] = append(cards[card], op)
		}
		return cards
	},
	Init: func() any { return historyState{} },
	Step: func(state, in, out any) (bool, any) {
		next, allowed := state.(historyState).next(in.(historyInput), out.(historyOutput))
		return allowed, next
	},
	DescribeOperation: func(in, out any) string {
		return fmt.Sprintf("card %d: %s of device %d: %s", in.(historyInput).card, in.(historyInput).step, in.(historyInput).device, out)
	},
	DescribeState: func(state any) string { return fmt.Sprintf("%+v", state) },
}
