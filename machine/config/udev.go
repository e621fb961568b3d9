package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Udev is what rules of udev on the machine add to the objects of a card: its
// nodes, connectors and fbdev.
type Udev struct {
	Properties []string // KEY=value
	Tags       []string
}

var (
	udevKey  = compiled(`^[A-Za-z_][A-Za-z0-9_]*$`)
	udevTag  = compiled(`^[A-Za-z0-9_.-]+$`)
	seatName = compiled(`^seat[A-Za-z0-9_-]*$`)
)

// udevOwnKeys are the properties that rules cannot set: they are facts of the
// kernel, or udev itself makes them.
var udevOwnKeys = []string{
	"ACTION", "CURRENT_TAGS", "DEVLINKS", "DEVNAME", "DEVPATH", "DEVTYPE", "MAJOR", "MINOR", "SEQNUM", "SUBSYSTEM", "TAGS", "USEC_INITIALIZED",
}

// udev reads the attribute udev of a card.
func (r *reader) udev(n *yaml.Node, path string, u *Udev) {
	r.mapping(n, path, fields{
		"properties": func(n *yaml.Node, path string) {
			for _, e := range r.entries(n, path) {
				value, ok := r.scalar(e.value, e.path)
				switch {
				case !ok:
				case !udevKey().MatchString(e.name):
					r.fail(e.key, e.path, "%q is not the name of a property; write letters, digits and _, as in ID_SEAT", e.name)
				case slices.Contains(udevOwnKeys, e.name):
					r.fail(e.key, e.path, "udev itself sets this property; remove it")
				case strings.ContainsFunc(value, func(c rune) bool { return c < ' ' }):
					r.fail(e.value, e.path, "a property has one line; remove the control characters from %q", value)
				case e.name == "ID_SEAT" && !seatName().MatchString(value):
					r.fail(e.value, e.path, "%q is not the name of a seat; write seat and letters, digits, _ and -, as in seat1", value)
				default:
					u.Properties = append(u.Properties, e.name+"="+value)
				}
			}
		},
		"tags": func(n *yaml.Node, path string) {
			for _, item := range r.items(n, path) {
				switch {
				case !udevTag().MatchString(item.Value):
					r.fail(item, path, "%q is not a tag; write letters, digits, _, - and .", item.Value)
				case slices.Contains(u.Tags, item.Value):
					r.fail(item, path, "%s is listed twice", item.Value)
				default:
					u.Tags = append(u.Tags, item.Value)
				}
			}
		},
	})
}
