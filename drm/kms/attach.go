package kms

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/udrm/udrm/drm"
)

// An Object is an object that has properties: a [Plane], [CRTC], [Connector] or
// [Colorop].
type Object interface {
	object
	props() *propertyList
	// get returns the value that a standard property has in s.
	get(std *standardProperties, s *State, p *Property) uint64
	// set changes a standard property in a. ref is the object that a property
	// of blobs or objects is set to, held by a, or nil.
	set(std *standardProperties, a *AtomicState, p *Property, value uint64, ref object) error
	// values returns where s has the values of the driver's properties.
	values(s *State) *[]propertyValue
	// touch adds the object to the change.
	touch(a *AtomicState)
}

// A PropertyConfig says how an object has a property that its driver made. The
// zero value keeps what clients set, from 0 on.
type PropertyConfig struct {
	Initial     uint64 // the first value, not of blobs
	InitialBlob []byte // the first value of a blob property; nil for none

	// Set is called when a client sets the property to value, which is valid.
	// It returns the value to store, or an error for the client. The change may
	// still be dropped. For blobs and objects, the value to store is value or 0.
	// If Set is nil, value is stored.
	Set func(a *AtomicState, value uint64) (uint64, error)
	// Check refuses the value of the property in the new state. It runs for
	// each change that the object is part of, after the checks of this package
	// and before [Driver.Check].
	Check func(a *AtomicState) error
	// Modeset says that a change of the value interrupts the signal of the CRTC
	// that the object is used with.
	Modeset bool
	// Get returns what a client reads, given the value in s. If Get is nil, the
	// client reads value.
	Get func(s *State, value uint64) uint64
}

// A propertyList has the properties of an object, in the order in which
// clients see them.
type propertyList struct {
	list  []attached
	slots int // of driver properties
}

type attached struct {
	property *Property
	value    uint64 // of standard properties that do not change
	slot     int    // of a driver's property in the state; else -1
	config   PropertyConfig
	initial  propertyValue
}

// A propertyValue is the value of a driver's property in a State.
type propertyValue struct {
	value uint64
	ref   counted // the blob or framebuffer that value is the id of; or nil
}

// equal reports whether two values are the same. Blobs with the same content
// are.
func (v propertyValue) equal(other propertyValue) bool {
	a, _ := v.ref.(*Blob)
	b, _ := other.ref.(*Blob)
	if a != nil && b != nil {
		return bytes.Equal(a.data, b.data)
	}
	return v == other
}

// attach adds a standard property. value counts when the property does not
// change.
func (l *propertyList) attach(p *Property, value uint64) {
	l.list = append(l.list, attached{property: p, value: value, slot: -1})
}

// find returns the property of that id, or nil.
func (l *propertyList) find(id uint32) *Property {
	for i := range l.list {
		if p := l.list[i].property; p.id == id {
			return p
		}
	}
	return nil
}

// lookup returns the attachment of p, or nil.
func (l *propertyList) lookup(p *Property) *attached {
	for i := range l.list {
		if l.list[i].property == p {
			return &l.list[i]
		}
	}
	return nil
}

// value returns the value of a standard property that does not change.
func (l *propertyList) value(p *Property) uint64 {
	if a := l.lookup(p); a != nil {
		return a.value
	}
	return 0
}

// initial returns the first values of the driver's properties.
func (l *propertyList) initial() []propertyValue {
	var values []propertyValue
	for i := range l.list {
		if a := &l.list[i]; a.slot >= 0 {
			values = append(values, a.initial)
		}
	}
	return values
}

// AttachProperty gives o a property that its driver made
// (drm_object_attach_property). The value is part of the [State]: it changes
// with a commit as a whole, or not at all.
func (m *ModeConfig) AttachProperty(o Object, p *Property, config PropertyConfig) {
	if c, ok := o.(*Connector); !ok || !c.dynamic {
		m.checkNotInUse()
	}
	l := o.props()
	if l.lookup(p) != nil {
		panic(fmt.Sprintf("kms: object %d has property %s already", o.ID(), p.name))
	}
	initial := propertyValue{value: config.Initial}
	if config.InitialBlob != nil {
		blob := m.newBlob(config.InitialBlob) // the attachment keeps it
		initial = propertyValue{uint64(blob.id), blob}
	} else if ref, ok := p.takes(&m.objects, config.Initial); !ok || ref != nil {
		panic(fmt.Sprintf("kms: property %s of object %d cannot begin with %#x", p.name, o.ID(), config.Initial))
	}
	l.list = append(l.list, attached{property: p, slot: l.slots, config: config, initial: initial})
	l.slots++
}

// DetachProperty hides a standard property of o that the device lacks, such as
// those that older kernels do not have. It does nothing if o has no such
// property.
func (m *ModeConfig) DetachProperty(o Object, name string) {
	m.checkNotInUse()
	l := o.props()
	l.list = slices.DeleteFunc(l.list, func(at attached) bool { return at.slot < 0 && at.property.name == name })
}

// PropertyNames returns the names of the properties of o, in the order in which
// clients see them.
func PropertyNames(o Object) (names []string) {
	for _, at := range o.props().list {
		names = append(names, at.property.name)
	}
	return names
}

// attachment returns the attachment of a driver's property. Other properties
// panic.
func attachment(o Object, p *Property) *attached {
	at := o.props().lookup(p)
	if at == nil || at.slot < 0 {
		panic(fmt.Sprintf("kms: the driver has not attached property %s to object %d", p.name, o.ID()))
	}
	return at
}

// Property returns the value in s of a property that the driver has attached
// to o.
func (s *State) Property(o Object, p *Property) uint64 {
	return (*o.values(s))[attachment(o, p).slot].value
}

// PropertyBlob returns the blob in s of a property that the driver has attached
// to o, or nil.
func (s *State) PropertyBlob(o Object, p *Property) *Blob {
	b, _ := (*o.values(s))[attachment(o, p).slot].ref.(*Blob)
	return b
}

// property returns what a client reads of a property of o.
func (m *ModeConfig) property(o Object, s *State, at *attached) uint64 {
	if at.slot < 0 {
		return o.get(&m.standard, s, at.property)
	}
	values := *o.values(s)
	if at.slot >= len(values) { // the connector is gone
		return at.initial.value
	}
	value := values[at.slot].value
	if at.config.Get != nil {
		value = at.config.Get(s, value)
	}
	return value
}

// setAttached sets a driver's property on behalf of a client. a holds ref, if
// value is the id of one.
func (a *AtomicState) setAttached(o Object, at *attached, value uint64, ref object) error {
	stored := value
	if at.config.Set != nil {
		var err error
		if stored, err = at.config.Set(a, value); err != nil {
			return fmt.Errorf("kms: property %s of object %d: %w", at.property.name, o.ID(), err)
		}
	}
	c, _ := ref.(counted)
	switch {
	case stored == 0:
		c = nil
	case ref != nil && stored != value:
		panic(fmt.Sprintf("kms: property %s stores object %d instead of %d", at.property.name, stored, value))
	}
	a.store(o, at, propertyValue{stored, c})
	return nil
}

// store changes a value in the new state. Values are shared with the old one:
// they are copied first.
func (a *AtomicState) store(o Object, at *attached, v propertyValue) {
	values := o.values(a.new)
	if _, ok := o.(*Colorop); ok && (*values)[at.slot] == v {
		return // its plane does not become part of the change
	}
	o.touch(a)
	*values = replaced(*values, at.slot, v)
}

// replaced returns a copy of values with another value in the slot.
func replaced(values []propertyValue, slot int, v propertyValue) []propertyValue {
	values = slices.Clone(values)
	values[slot] = v
	return values
}

// interrupts reports whether a property with [PropertyConfig.Modeset] differs
// between two states of an object.
func (l *propertyList) interrupts(old, new []propertyValue) bool {
	for i := range l.list {
		if at := &l.list[i]; at.config.Modeset && !old[at.slot].equal(new[at.slot]) {
			return true
		}
	}
	return false
}

// checkProperties calls the drivers' checks of the objects of the change.
func (a *AtomicState) checkProperties() error {
	for p := range a.Planes() {
		if err := a.checkPropertiesOf(p); err != nil {
			return err
		}
	}
	for c := range a.CRTCs() {
		if err := a.checkPropertiesOf(c); err != nil {
			return err
		}
	}
	for c := range a.Connectors() {
		if err := a.checkPropertiesOf(c); err != nil {
			return err
		}
	}
	return nil
}

func (a *AtomicState) checkPropertiesOf(o Object) error {
	l := o.props()
	for i := range l.list {
		at := &l.list[i]
		if at.config.Check == nil {
			continue
		}
		if err := at.config.Check(a); err != nil {
			return fmt.Errorf("kms: property %s of object %d: %w", at.property.name, o.ID(), err)
		}
	}
	return nil
}

// UpdateProperty sets a property that the driver has attached to o, also one
// that clients cannot set: for what the hardware reports
// (drm_object_property_set_value). It is a commit that waits for nothing. Set is
// not called. Errors: EINVAL for a value that is not valid, and those of the
// driver's checks.
func (m *ModeConfig) UpdateProperty(dev *drm.RegisteredDevice, o Object, p *Property, value uint64) error {
	return m.commit(dev, commitOptions{unsynced: true}, func(a *AtomicState) error {
		ref, ok := p.takes(&m.objects, value)
		if !ok {
			return invalid("property %s of object %d has no value %#x", p.name, o.ID(), value)
		}
		c, _ := ref.(counted)
		if c != nil {
			a.hold(c)
		}
		a.store(o, attachment(o, p), propertyValue{value, c})
		return nil
	})
}

// UpdatePropertyBlob is [ModeConfig.UpdateProperty] for a blob with the data;
// nil sets the property to none (drm_property_replace_global_blob).
func (m *ModeConfig) UpdatePropertyBlob(dev *drm.RegisteredDevice, o Object, p *Property, data []byte) error {
	if data == nil {
		return m.UpdateProperty(dev, o, p, 0)
	}
	blob := m.newBlob(data)
	defer m.objects.put(blob)
	return m.UpdateProperty(dev, o, p, uint64(blob.id))
}
