package kms

import (
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// Connectors come and go while the device is in use, as those of DisplayPort MST
// do: [ModeConfig.AddDynamicConnector] and [ModeConfig.RemoveConnector].
//
// A connector that is gone leaves sysfs at once. Clients find it, disconnected,
// as long as the current state has a CRTC for it; they can only switch it off.
// Then it is freed, and its index, its id and its number may be given to another
// one.
//
// Invariant: the slot of a connector in the current state belongs to it, from the
// moment it is in the list until it is freed. Why it holds: list, slot and the
// field freed change together with ModeConfig.mu held, and a request that has
// found a connector looks at freed with ModeConfig.mu held before it uses the
// slot. States of before have another connector in the slot, or none. They are
// only read, for what the hardware still shows.

// AddDynamicConnector adds a connector to a device in use, and tells clients
// (drm_connector_dynamic_register, drm_dp_mst_up_req_work). path is the property PATH:
// where the connector is in the topology of MST, such as "mst:45-1". The connector can
// use any CRTC, by an encoder of type DPMST. Errors: ENOSPC if the device has too many
// connectors or encoders.
func (m *ModeConfig) AddDynamicConnector(dev *drm.RegisteredDevice, config ConnectorConfig, path string) (*Connector, error) {
	m.freeze(dev.Class())
	m.topologyMu.Lock()
	defer m.topologyMu.Unlock()
	c, err := m.insertConnector(dev.Class(), config, path)
	if err != nil {
		return nil, err
	}
	c.register(dev)
	c.announce(dev)
	announceTopology(dev)
	return c, nil
}

// announceTopology tells clients that any connector may have changed. Some, such as
// mutter, look for new connectors only then: not after an event of one connector.
func announceTopology(dev *drm.RegisteredDevice) {
	dev.Class().Send(drm.Uevent{Action: "change", Kobject: dev.Primary().Kobject(), Env: []string{"HOTPLUG=1"}})
}

// insertConnector makes a connector and gives it a slot in the current state.
func (m *ModeConfig) insertConnector(class *drm.Class, config ConnectorConfig, path string) (*Connector, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	encoders, err := m.streamEncoders()
	if err != nil {
		return nil, err
	}
	old := m.state.Load()
	index := bits.TrailingZeros32(^m.connectorMask())
	if index >= maxObjects {
		return nil, fmt.Errorf("kms: a device has at most %d connectors: %w", maxObjects, unix.ENOSPC)
	}
	c := m.newConnector(config, index)
	c.dynamic, c.path = true, path
	c.encoders = encoders
	c.AttachPathProperty(path)
	next := old.clone()
	for len(next.connectors) <= index {
		next.connectors = append(next.connectors, ConnectorState{})
	}
	next.connectors[index] = ConnectorState{properties: c.properties.initial()}
	m.replaceState(old, next)
	c.name(class)
	c.probe()
	m.objects.add(&c.objectBase, c)
	m.addToList(c)
	return c, nil
}

// streamEncoders returns the encoders of dynamic connectors, one for each CRTC, in
// their order. Each says that it can show all: programs take a connector to work
// with the CRTCs that all its encoders can show. amdgpu and i915 do the same. The
// caller holds mu.
func (m *ModeConfig) streamEncoders() ([]*Encoder, error) {
	if len(m.streams) > 0 {
		return m.streams, nil
	}
	if len(m.allEncoders())+len(m.crtcs) > maxObjects {
		return nil, fmt.Errorf("kms: a device has at most %d encoders, and each of %d CRTCs needs one more: %w", maxObjects, len(m.crtcs), unix.ENOSPC)
	}
	for range m.crtcs {
		m.streams = append(m.streams, m.newEncoder(EncoderConfig{Type: uapi.ModeEncoderDPMST, PossibleCRTCs: 1<<len(m.crtcs) - 1}))
	}
	return m.streams, nil
}

// bestEncoder returns the encoder that feeds the connector from a CRTC. A connector
// that always exists has one; a dynamic one has one for each CRTC.
func (c *Connector) bestEncoder(crtc *CRTC) *Encoder {
	if c.dynamic {
		return c.encoders[crtc.index]
	}
	return c.encoders[0]
}

// connectorMask returns the indexes that connectors have, one bit each.
func (m *ModeConfig) connectorMask() (mask uint32) {
	for _, c := range m.Connectors() {
		mask |= 1 << c.index
	}
	return mask
}

// connectorSlots returns the number of slots that a state needs.
func (m *ModeConfig) connectorSlots() int { return bits.Len32(m.connectorMask()) }

// connectorAt returns the connector with that index.
func (m *ModeConfig) connectorAt(index int) *Connector {
	list := m.Connectors()
	return list[slices.IndexFunc(list, func(c *Connector) bool { return c.index == index })]
}

// replaceState replaces the current state by one that shows the same. The caller
// holds mu.
func (m *ModeConfig) replaceState(old, next *State) {
	next.references(func(r counted) bool { m.objects.get(r); return true })
	m.objects.mu.Lock() // so that compositions see both or neither
	m.state.Store(next)
	m.objects.mu.Unlock()
	old.references(func(r counted) bool { m.objects.put(r); return true })
}

// Path returns where a dynamic connector is in the topology of MST, or "".
func (c *Connector) Path() string { return c.path }

// Registered reports whether the connector exists for clients: it is not one that
// [ModeConfig.RemoveConnector] has removed.
func (c *Connector) Registered() bool { return !c.unregistered.Load() }

// RemoveConnector removes a connector that AddDynamicConnector has added, and tells
// clients (drm_connector_unregister). A CRTC that feeds it goes on until a client
// switches it off. Errors: EINVAL for a connector of the driver, ENOENT for one
// that is gone already.
func (m *ModeConfig) RemoveConnector(dev *drm.RegisteredDevice, c *Connector) error {
	if !c.dynamic {
		return invalid("connector %s is part of the card and cannot be removed", c.Name())
	}
	m.topologyMu.Lock()
	defer m.topologyMu.Unlock()
	m.mu.Lock()
	gone := c.unregistered.Swap(true)
	if !gone {
		m.leaving.Add(1)
	}
	m.mu.Unlock()
	if gone {
		return notFound("connector", c.id)
	}
	c.unregister(dev.Device)
	m.freeLeaving(dev)
	announceTopology(dev)
	return nil
}

// freeLeaving frees the connectors that are gone and that no CRTC feeds any more,
// and tells clients (drm_connector_cleanup).
func (m *ModeConfig) freeLeaving(dev *drm.RegisteredDevice) {
	if m.leaving.Load() == 0 {
		return
	}
	for range m.freeUnfed(dev.Class()) {
		announceTopology(dev)
	}
}

// freeUnfed returns how many connectors it has freed.
func (m *ModeConfig) freeUnfed(class *drm.Class) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	state := m.state.Load()
	for _, c := range m.Connectors() {
		if c.dynamic && c.unregistered.Load() && !c.freed && state.connector(c).CRTC == nil {
			m.free(c)
			c.unname(class)
			state = m.state.Load()
			n++
		}
	}
	return n
}

// free frees a connector. The caller holds mu.
func (m *ModeConfig) free(c *Connector) {
	c.freed = true
	m.leaving.Add(-1)
	list := slices.DeleteFunc(slices.Clone(m.Connectors()), func(other *Connector) bool { return other == c })
	m.connectors.Store(&list)
	old := m.state.Load()
	next := old.clone()
	next.connectors[c.index] = ConnectorState{}
	m.replaceState(old, next)
	c.dropProbe()
	for i := range c.properties.list {
		if ref := c.properties.list[i].initial.ref; ref != nil {
			m.objects.put(ref) // of the attachment
		}
	}
	m.objects.remove(c.id)
}

// dropProbe releases what the last probe holds.
func (c *Connector) dropProbe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probed.edid = c.display.replaceBlob(c.probed.edid, nil)
	c.probed.tile = c.display.replaceBlob(c.probed.tile, c.display.tiles.property(c, nil))
}

// remove frees the id of an object that is not counted.
func (t *objectTable) remove(id uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.objects.Free(id)
}
