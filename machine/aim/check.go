package aim

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/machine"
)

// Check returns an error if the rule can never fire on the machine, because it
// names a card, connector, CRTC, property or process that does not exist, more
// planes than there are, or the inside of requests that no card handles.
func (r *Rule) Check(m *machine.Machine) error {
	if r.Card != "" {
		if _, err := m.KnownCard(r.Card); err != nil {
			return err
		}
	}
	if r.PID != 0 && errors.Is(unix.Kill(r.PID, 0), unix.ESRCH) {
		return fmt.Errorf("there is no process %d", r.PID)
	}
	if err := r.checkDisplay(m); err != nil {
		return err
	}
	if r.Action != nil {
		if err := r.checkAction(m); err != nil {
			return err
		}
	}
	if r.Property != "" {
		if err := r.checkProperty(m); err != nil {
			return err
		}
	}
	return errors.Join(r.checkCRTC(m), r.checkPlanes(m), r.checkRequests(m))
}

// displays returns the displays that the rule can be about. known is false if it
// may be about others: a card is yet to be plugged.
func (r *Rule) displays(m *machine.Machine) (list []*kms.ModeConfig, known bool) {
	for _, card := range m.Cards() {
		dev := card.Device()
		if r.Card != "" && card.Label() != r.Card {
			continue
		}
		if dev == nil {
			return nil, false
		}
		if display, ok := drm.PartOf[*kms.ModeConfig](dev); ok {
			list = append(list, display)
		}
	}
	return list, true
}

// checkCRTC returns an error if no card has the CRTC.
func (r *Rule) checkCRTC(m *machine.Machine) error {
	list, known := r.displays(m)
	if r.CRTC == 0 || !known {
		return nil
	}
	var ids []uint32
	for _, display := range list {
		for _, c := range display.CRTCs() {
			ids = append(ids, c.ID())
		}
	}
	if slices.Contains(ids, r.CRTC) {
		return nil
	}
	slices.Sort(ids)
	return fmt.Errorf("there is no CRTC %d; the ids are %v", r.CRTC, slices.Compact(ids))
}

// checkRequests returns an error if the rule is about the inside of requests that
// no card has: they fail before their guard.
func (r *Rule) checkRequests(m *machine.Machine) error {
	if r.Event.kind != kindIoctl || r.Event.requests == nil || r.Point == Before || r.Point == After {
		return nil
	}
	known := false
	for _, card := range m.Cards() {
		dev := card.Device()
		if r.Card != "" && card.Label() != r.Card {
			continue
		}
		if dev == nil {
			return nil // unknown until the card is plugged
		}
		known = true
		for cmd := range r.Event.requests {
			if dev.Handles(cmd) {
				return nil
			}
		}
	}
	if !known {
		return nil // a card can be plugged later
	}
	return fmt.Errorf("no card has the request %s, which fails before its guard; write %s:before or %s:after", r.Event.name, r.Event.name, r.Event.name)
}

// checkPlanes returns an error if no card has as many planes as the rule needs.
func (r *Rule) checkPlanes(m *machine.Machine) error {
	list, known := r.displays(m)
	if r.Planes == nil || !known {
		return nil
	}
	most := 0
	for _, display := range list {
		most = max(most, len(display.Planes()))
	}
	if r.Planes.First <= uint64(most) {
		return nil
	}
	return fmt.Errorf("no request uses %d planes: the card has %d", r.Planes.First, most)
}

// checkDisplay returns an error if the rule needs a display and no card has one.
func (r *Rule) checkDisplay(m *machine.Machine) error {
	if r.Event.kind != kindDevice || r.Event.device == drm.EventSent {
		return nil
	}
	var without []string
	for _, card := range m.Cards() {
		if r.Card != "" && card.Label() != r.Card {
			continue
		}
		dev := card.Device()
		if dev == nil {
			return nil // unknown until the card is plugged
		}
		if _, ok := drm.PartOf[*kms.ModeConfig](dev); ok {
			return nil
		}
		without = append(without, card.Label())
	}
	if without == nil {
		return nil // a card can be plugged later
	}
	return fmt.Errorf("%s never happens: %s has no display", &r.Event, strings.Join(without, ", "))
}

// checkAction checks the action, whose card may be that of any event.
func (r *Rule) checkAction(m *machine.Machine) error {
	action := *r.Action
	if action.Card == "" {
		action.Card = r.Card
	}
	if action.Card != "" || action.Connector == "" {
		return action.Check(m)
	}
	var first error
	for _, card := range m.Cards() {
		action.Card = card.Label()
		switch err := action.Check(m); {
		case err == nil:
			return nil
		case first == nil:
			first = err
		}
	}
	return first
}

// checkProperty returns an error if no object of the cards has the property.
func (r *Rule) checkProperty(m *machine.Machine) error {
	list, known := r.displays(m)
	if !known {
		return nil
	}
	var near []string
	for _, display := range list {
		for id := range uint32(maxPropertyID) {
			info, ok := display.PropertyInfo(id)
			switch {
			case ok && info.Name == r.Property:
				return nil
			case ok && strings.EqualFold(info.Name, r.Property):
				near = append(near, info.Name)
			}
		}
	}
	if len(near) > 0 {
		return fmt.Errorf("there is no property %s; did you mean %s?", r.Property, near[0])
	}
	return fmt.Errorf("there is no property %s; udrm run -- modetest -M vkms -p -c lists them", r.Property)
}

// maxPropertyID bounds the ids of properties. They are created before all
// objects of clients, so that they are small.
const maxPropertyID = 4096
