package kms

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/uapi"
)

// An Encoder turns the picture of a CRTC into the signal of a connector:
// struct drm_encoder.
type Encoder struct {
	objectBase
	index  int
	config EncoderConfig
}

// An EncoderConfig describes an encoder.
type EncoderConfig struct {
	Type           uint32 // uapi.ModeEncoder*
	PossibleCRTCs  uint32 // one bit for each CRTC, by index
	PossibleClones uint32 // one bit for each encoder, by index; itself is added
}

// AddEncoder adds an encoder.
func (m *ModeConfig) AddEncoder(config EncoderConfig) *Encoder {
	m.checkAdd("encoders", len(m.allEncoders()))
	return m.newEncoder(config)
}

func (m *ModeConfig) newEncoder(config EncoderConfig) *Encoder {
	list := m.allEncoders()
	e := &Encoder{index: len(list), config: config}
	e.config.PossibleClones |= 1 << e.index
	m.objects.add(&e.objectBase, e)
	list = append(slices.Clip(list), e)
	m.encoders.Store(&list)
	return e
}

func (m *ModeConfig) allEncoders() []*Encoder {
	if list := m.encoders.Load(); list != nil {
		return *list
	}
	return nil
}

func (*Encoder) objectType() uint32 { return uapi.ModeObjectEncoder }

func (e *Encoder) possible(c *CRTC) bool { return e.config.PossibleCRTCs&(1<<c.index) != 0 }

// A Connector is a socket for a monitor: struct drm_connector.
type Connector struct {
	objectBase
	index  int
	typeID atomic.Uint32 // counts the connectors of its type, from 1; see nameConnectors
	config ConnectorConfig

	properties propertyList
	encoders   []*Encoder
	display    *ModeConfig
	fences     *fence.Context // of its writebacks, or nil; guarded by ModeConfig.mu
	kobject    *drm.Kobject   // set when the device is registered

	// Of connectors that come and go: see dynamic.go.
	dynamic      bool
	path         string
	unregistered atomic.Bool // it is gone, but a CRTC may still feed it
	freed        bool        // guarded by ModeConfig.mu
	named        atomic.Bool // it has a number of its class

	// Standard properties that the driver has attached, else nil.
	vrrCapable *Property
	protection protection

	mu         sync.Mutex
	connection uint32   // detected: uapi.ModeConnected and so on
	monitor    *Monitor // plugged in, or nil
	forced     force    // by a user
	override   *Monitor // by a user, or nil
	probed     probeResult
}

// A ConnectorConfig describes a connector. It must not be changed once it is
// used.
type ConnectorConfig struct {
	Type uint32 // uapi.ModeConnector*
	// Connection is the first result of a probe; 0 is uapi.ModeConnected.
	Connection uint32
	// Monitor is plugged in at first, unless Connection is
	// uapi.ModeDisconnected.
	Monitor *Monitor
	// ModeFlags are the special kinds of modes that the connector allows: any
	// of uapi.ModeFlagInterlace, uapi.ModeFlagDblscan and uapi.ModeFlag3DMask.
	ModeFlags uint32
	// YCbCr420 says that the connector can send YCbCr 4:2:0. It shows the modes that
	// need it (ycbcr_420_allowed).
	YCbCr420 bool
	// Subpixel is the order of the colours in a pixel, as enum subpixel_order of
	// the kernel has it: 0 is unknown, 1 horizontal RGB.
	Subpixel uint32
	// WritebackFormats are the formats that a writeback connector writes.
	WritebackFormats []uint32
}

// AddConnector adds a connector. It needs an encoder, see
// [Connector.AttachEncoder]. Its monitor may change, see [Connector.Hotplug].
func (m *ModeConfig) AddConnector(config ConnectorConfig) *Connector {
	m.checkAdd("connectors", len(m.Connectors()))
	c := m.newConnector(config, len(m.Connectors()))
	early := m.config.Kernel != drm.Linux72 // the properties of writeback have lower ids
	if c.writeback() && early {
		c.attachWriteback()
	}
	m.objects.add(&c.objectBase, c)
	if c.writeback() && !early {
		c.attachWriteback()
	}
	m.addToList(c)
	return c
}

// newConnector makes a connector with an index that no other one has. The caller
// gives it an id: then clients can find it.
func (m *ModeConfig) newConnector(config ConnectorConfig, index int) *Connector {
	c := &Connector{index: index, config: config, display: m}
	c.typeID.Store(1)
	for _, other := range m.Connectors() {
		if other.config.Type == config.Type {
			c.typeID.Add(1)
		}
	}
	c.connection = cmp.Or(config.Connection, uapi.ModeConnected)
	c.monitor = config.Monitor

	writeback := config.Type == uapi.ModeConnectorWriteback
	s := &m.standard
	hasEDID := config.Monitor != nil && config.Monitor.EDID != nil
	virtual := writeback || config.Type == uapi.ModeConnectorVirtual
	if !virtual {
		c.properties.attach(s.edid, 0)
	}
	for _, property := range []*Property{s.dpms, s.linkStatus, s.nonDesktop, s.tile, s.crtcID} {
		c.properties.attach(property, 0)
	}
	if virtual && hasEDID {
		c.properties.attach(s.edid, 0) // other virtual connectors have no EDID
	}
	return c
}

// addToList adds a connector to those that clients find.
func (m *ModeConfig) addToList(c *Connector) {
	list := append(slices.Clip(m.Connectors()), c)
	m.connectors.Store(&list)
}

// attachWriteback adds the properties of a writeback connector. The first call
// makes them.
func (c *Connector) attachWriteback() {
	m := c.display
	m.createWritebackProperties()
	var data []byte
	for _, f := range c.config.WritebackFormats {
		data = binary.NativeEndian.AppendUint32(data, f)
	}
	formats := m.newBlob(data)
	s := &m.standard
	c.properties.attach(s.writebackOutFencePtr, 0)
	c.properties.attach(s.writebackFBID, 0)
	c.properties.attach(s.writebackPixelFormats, blobID(formats))
}

// AttachEncoder says that e can feed the connector. The first encoder is used.
func (c *Connector) AttachEncoder(e *Encoder) {
	c.display.checkNotInUse()
	c.encoders = append(c.encoders, e)
}

// Config returns the configuration that the connector was added with.
func (c *Connector) Config() ConnectorConfig { return c.config }

func (*Connector) objectType() uint32 { return uapi.ModeObjectConnector }

func (c *Connector) props() *propertyList             { return &c.properties }
func (c *Connector) values(s *State) *[]propertyValue { return &s.connector(c).properties }
func (c *Connector) touch(a *AtomicState)             { a.connector(c) }

// connectorTypes are the names of uapi.ModeConnector*, by number.
var connectorTypes = [...]string{
	"Unknown", "VGA", "DVI-I", "DVI-D", "DVI-A", "Composite", "SVIDEO", "LVDS", "Component", "DIN", "DP",
	"HDMI-A", "HDMI-B", "TV", "eDP", "Virtual", "DSI", "DPI", "Writeback", "SPI", "USB",
}

// ConnectorTypeName returns the kernel's name of a type, uapi.ModeConnector*,
// such as "HDMI-A", or "" for an unknown type.
func ConnectorTypeName(connectorType uint32) string {
	if int(connectorType) >= len(connectorTypes) {
		return ""
	}
	return connectorTypes[connectorType]
}

// Name returns the connector's name, such as "Virtual-1".
func (c *Connector) Name() string {
	return fmt.Sprintf("%s-%d", c.typeName(), c.typeID.Load())
}

func (c *Connector) typeName() string { return cmp.Or(ConnectorTypeName(c.config.Type), "Unknown") }

// nameConnectors numbers the connectors of each type over all devices of the
// class, as the kernel does: the second card of two has Virtual-2. Before, they
// have the numbers of a device that is alone.
func (m *ModeConfig) nameConnectors(class *drm.Class) {
	for _, c := range m.Connectors() {
		c.name(class)
	}
}

// unnameConnectors frees the numbers of the connectors of an unplugged device, so
// that the card has the same names when it is plugged in again.
func (m *ModeConfig) unnameConnectors(class *drm.Class) {
	for _, c := range m.Connectors() {
		c.unname(class)
	}
}

func (c *Connector) name(class *drm.Class) {
	c.typeID.Store(uint32(class.IDs(c.typeName()).Get()))
	c.named.Store(true)
}

func (c *Connector) unname(class *drm.Class) {
	if c.named.CompareAndSwap(true, false) {
		class.IDs(c.typeName()).Put(int(c.typeID.Load()))
	}
}

func (c *Connector) writeback() bool { return c.config.Type == uapi.ModeConnectorWriteback }

func (m *ModeConfig) findConnector(f *drm.File, id uint32) (*Connector, error) {
	if c, ok := findFor[*Connector](m, f, id, uapi.ModeObjectConnector); ok {
		return c, nil
	}
	return nil, notFound("connector", id)
}
