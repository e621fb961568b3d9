package kms

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

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
	m.mustBeNew()
	e := &Encoder{index: len(m.encoders), config: config}
	e.config.PossibleClones |= 1 << e.index
	m.objects.add(&e.objectBase, e)
	m.encoders = append(m.encoders, e)
	return e
}

func (*Encoder) objectType() uint32 { return uapi.ModeObjectEncoder }

// Index returns the position of the encoder among those of its device.
func (e *Encoder) Index() int { return e.index }

func (e *Encoder) possible(c *CRTC) bool { return e.config.PossibleCRTCs&(1<<c.index) != 0 }

// A Connector is where a display is plugged in: struct drm_connector.
type Connector struct {
	objectBase
	index  int
	typeID uint32 // counts the connectors of its type, from 1
	config ConnectorConfig

	properties propertyList
	encoders   []*Encoder
	display    *ModeConfig
	fences     *fence.Context // of its writebacks; nil before the first; guarded by ModeConfig.mu
	kobject    *drm.Kobject   // set when the device is registered

	mu     sync.Mutex
	probed bool // the modes were asked for, see probe
}

// A ConnectorConfig describes a connector. It must not be changed once it is
// used.
type ConnectorConfig struct {
	Type  uint32 // uapi.ModeConnector*
	Modes []Mode // of the display, in any order
	// WritebackFormats are those that a writeback connector writes.
	WritebackFormats []uint32
}

// AddConnector adds a connector with a display that stays connected. It needs
// an encoder: see [Connector.AttachEncoder].
func (m *ModeConfig) AddConnector(config ConnectorConfig) *Connector {
	m.mustBeNew()
	c := &Connector{index: len(m.connectors), typeID: 1, config: config, display: m}
	for _, other := range m.connectors {
		if other.config.Type == config.Type {
			c.typeID++
		}
	}
	c.config.Modes = slices.Clone(config.Modes)
	slices.SortStableFunc(c.config.Modes, compareModes)

	writeback := config.Type == uapi.ModeConnectorWriteback
	var formats *Blob
	if writeback {
		m.createWritebackProperties()
		var data []byte
		for _, f := range config.WritebackFormats {
			data = binary.LittleEndian.AppendUint32(data, f)
		}
		formats = m.newBlob(data)
	}
	m.objects.add(&c.objectBase, c)
	s := &m.standard
	for _, property := range []*Property{s.dpms, s.linkStatus, s.nonDesktop, s.tile, s.crtcID} {
		c.properties.attach(property, 0)
	}
	if writeback {
		c.properties.attach(s.writebackOutFencePtr, 0)
		c.properties.attach(s.writebackFBID, 0)
		c.properties.attach(s.writebackPixelFormats, blobID(formats))
	}
	m.connectors = append(m.connectors, c)
	return c
}

// AttachEncoder says that e can feed the connector. The first one is used.
func (c *Connector) AttachEncoder(e *Encoder) {
	c.display.mustBeNew()
	c.encoders = append(c.encoders, e)
}

// compareModes is the order of drm_mode_compare: preferred modes first, then
// the larger, then the faster.
func compareModes(a, b Mode) int {
	preferred := func(m *Mode) int { return int(m.Type & uapi.ModeTypePreferred) }
	area := func(m *Mode) int { return int(m.HDisplay) * int(m.VDisplay) }
	return cmp.Or(
		cmp.Compare(preferred(&b), preferred(&a)),
		cmp.Compare(area(&b), area(&a)),
		cmp.Compare(b.VRefresh(), a.VRefresh()),
		cmp.Compare(b.Clock, a.Clock),
	)
}

func (*Connector) objectType() uint32 { return uapi.ModeObjectConnector }

func (c *Connector) props() propertyList { return c.properties }

// Index returns the position of the connector among those of its device.
func (c *Connector) Index() int { return c.index }

// connectorTypes are the names of uapi.ModeConnector*, by number.
var connectorTypes = [...]string{
	"Unknown", "VGA", "DVI-I", "DVI-D", "DVI-A", "Composite", "SVIDEO", "LVDS", "Component", "DIN", "DP",
	"HDMI-A", "HDMI-B", "TV", "eDP", "Virtual", "DSI", "DPI", "Writeback", "SPI", "USB",
}

// Name returns the connector's name, such as "Virtual-1".
func (c *Connector) Name() string {
	name := "Unknown"
	if int(c.config.Type) < len(connectorTypes) {
		name = connectorTypes[c.config.Type]
	}
	return fmt.Sprintf("%s-%d", name, c.typeID)
}

func (c *Connector) writeback() bool { return c.config.Type == uapi.ModeConnectorWriteback }

// probe asks the display what it is. Before that nobody knows.
func (c *Connector) probe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probed = true
}

// status returns the result of the last probe: the connection, as
// uapi.ModeConnected and so on, and the modes.
func (c *Connector) status() (connection uint32, modes []Mode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.probed {
		return uapi.ModeUnknownConnection, nil
	}
	return uapi.ModeConnected, c.config.Modes
}

func (m *ModeConfig) findConnector(f *drm.File, id uint32) (*Connector, error) {
	if c, ok := findFor[*Connector](m, f, id, uapi.ModeObjectConnector); ok {
		return c, nil
	}
	return nil, notFound("connector", id)
}
