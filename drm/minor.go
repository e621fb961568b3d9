package drm

import "fmt"

// A MinorType is a kind of node.
type MinorType int

const (
	Primary MinorType = iota // cardN, minors 0 to 63
	Render                   // renderDN, minors 128 to 191
)

func (t MinorType) String() string {
	if t == Render {
		return "render"
	}
	return "primary"
}

// minorsOfType is how many minors of one type a class has. The kernel has more,
// from 192; 64 cards are enough for one process.
const minorsOfType = 64

// A Minor is a node of a device, which clients open.
type Minor struct {
	dev       *Device
	typ       MinorType
	number    int
	kobject   *Kobject
	published bool // guarded by Class.mu
}

func newMinor(d *Device, t MinorType, index int) *Minor {
	m := &Minor{dev: d, typ: t, number: index}
	if t == Render {
		m.number += 128
	}
	m.kobject = &Kobject{
		Name:    m.Name(),
		DevType: "drm_minor",
		Parent:  d.parent,
		Minor:   m,
		Attrs:   []Attr{{Name: "dev", Show: func() string { return fmt.Sprintf("%d:%d\n", Major, m.number) }}},
	}
	return m
}

func (m *Minor) slot() int {
	if m.typ == Render {
		return minorsOfType + m.number - 128
	}
	return m.number
}

func (d *Device) minors() []*Minor {
	if d.render == nil {
		return []*Minor{d.primary}
	}
	return []*Minor{d.primary, d.render}
}

// Device returns the device of the node.
func (m *Minor) Device() *Device { return m.dev }

// Type returns the kind of the node.
func (m *Minor) Type() MinorType { return m.typ }

// Number returns the minor device number; the major is [Major].
func (m *Minor) Number() int { return m.number }

// Name returns the name of the node below /dev/dri.
func (m *Minor) Name() string {
	if m.typ == Render {
		return fmt.Sprintf("renderD%d", m.number)
	}
	return fmt.Sprintf("card%d", m.number)
}

// Kobject returns the object of the node in sysfs.
func (m *Minor) Kobject() *Kobject { return m.kobject }
