package config

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm/uapi"
)

// A topologyReader reads the objects of a card. It collects the lists first,
// because a file may have them in any order.
type topologyReader struct {
	*reader
	card entry

	lists map[string]entry // by kind: planes, crtcs, encoders, connectors
	notes []condition

	hardware *hardware
	before   int // errors before those of the card
}

// A condition is a rule for an attribute: the driver must have a display, and
// the card must not have the list.
type condition struct {
	node *yaml.Node
	path string
	list string // "" for any
}

func newTopologyReader(r *reader, card entry) *topologyReader {
	return &topologyReader{reader: r, card: card, lists: make(map[string]entry), hardware: newHardware(), before: len(r.errs)}
}

// display records that only displays have the attribute.
func (t *topologyReader) display(n *yaml.Node, path string) {
	t.notes = append(t.notes, condition{node: n, path: path})
}

// unlisted records that only displays have the attribute, and only those
// without the list.
func (t *topologyReader) unlisted(n *yaml.Node, path, list string) {
	t.notes = append(t.notes, condition{n, path, list})
}

// list records a list.
func (t *topologyReader) list(n *yaml.Node, path string) {
	t.display(n, path)
	t.lists[filepath.Base(path)] = entry{path: path, key: n, value: n}
}

// check checks the recorded conditions.
func (t *topologyReader) check(driver Driver) {
	for _, c := range t.notes {
		_, listed := t.lists[c.list]
		switch {
		case driver == VGEM:
			t.fail(c.node, c.path, "cards of driver %s have no such attribute; remove it", driver)
		case listed:
			t.fail(c.node, c.path, "this has no effect, because the card lists its %s; remove it", c.list)
		}
	}
}

// names are the entries of a list, or of the default for a missing list.
type names struct {
	listed  bool
	entries []entry // nil for a default
	words   []string
}

func (t *topologyReader) names(kind string) *names {
	list, listed := t.lists[kind]
	n := &names{listed: listed}
	if listed {
		n.entries = t.entries(list.value, list.path)
	}
	for _, e := range n.entries {
		n.words = append(n.words, e.name)
	}
	return n
}

// topology returns the topology of the card, with defaults for missing lists.
// It returns nil for the default device.
func (t *topologyReader) topology(config *vkms.Config) *vkms.Topology {
	if len(t.lists) == 0 {
		return nil
	}
	before := len(t.errs)
	crtcs, planes, encoders, connectors := t.names("crtcs"), t.names("planes"), t.names("encoders"), t.names("connectors")
	var plugs []vkms.Connector
	for i, e := range connectors.entries {
		plugs = append(plugs, t.connector(e, i))
	}
	count := len(crtcs.entries)
	if !connectors.listed {
		if encoders.listed {
			count = len(encoders.entries)
		}
		for i := range max(count, 1) {
			plugs = append(plugs, vkms.Connector{Name: fmt.Sprintf("connector%d", i)})
		}
	}
	if count = len(crtcs.entries); !crtcs.listed {
		count = max(len(plugs), 1)
	}
	// Missing lists are those of a simple topology of this size.
	d := vkms.NewTopology(count, plugs, config)
	if crtcs.listed {
		d.CRTCs = nil
		for i, e := range crtcs.entries {
			d.CRTCs = append(d.CRTCs, t.crtc(e, i))
		}
	} else {
		for _, c := range d.CRTCs {
			crtcs.words = append(crtcs.words, c.Name)
		}
	}
	if planes.listed {
		d.Planes = nil
		for i, e := range planes.entries {
			d.Planes = append(d.Planes, t.plane(e, i, crtcs))
		}
	}
	if encoders.listed {
		d.Encoders = nil
		for i, e := range encoders.entries {
			d.Encoders = append(d.Encoders, t.encoder(e, i, crtcs, encoders))
		}
	} else {
		for _, e := range d.Encoders {
			encoders.words = append(encoders.words, e.Name)
		}
	}
	for i := range d.Connectors {
		if connectors.listed {
			t.possibleEncoders(connectors.entries[i], &d.Connectors[i], encoders)
		}
	}
	if len(t.errs) == before {
		t.validate(d, map[string]*names{"crtcs": crtcs, "planes": planes, "encoders": encoders, "connectors": connectors})
	}
	return d
}

// validate checks the rules of vkms.
func (t *topologyReader) validate(d *vkms.Topology, all map[string]*names) {
	err := d.Validate()
	if err == nil {
		return
	}
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, err := range list {
		var broken *vkms.TopologyError
		if !errors.As(err, &broken) {
			t.fail(t.card.key, t.card.path, "%v", err)
			continue
		}
		at := t.card.key
		path := t.card.path + "/" + broken.Kind
		if list, ok := t.lists[broken.Kind]; ok {
			at = list.key
		}
		if broken.Index >= 0 {
			path += "/" + broken.Name
			if entries := all[broken.Kind].entries; broken.Index < len(entries) {
				at = entries[broken.Index].key
			}
		}
		t.fail(at, path, "%s", broken.Reason)
	}
}

func (t *topologyReader) crtc(e entry, index int) vkms.CRTC {
	c := vkms.CRTC{Name: e.name}
	attributes := t.hardwareCRTC(index)
	attributes["writeback"] = func(n *yaml.Node, path string) { t.bool(n, path, &c.Writeback) }
	t.mapping(e.value, e.path, attributes)
	return c
}

var planeTypes = choices[int]{
	{"overlay", uapi.PlaneTypeOverlay}, {"primary", uapi.PlaneTypePrimary}, {"cursor", uapi.PlaneTypeCursor},
	{"0", uapi.PlaneTypeOverlay}, {"1", uapi.PlaneTypePrimary}, {"2", uapi.PlaneTypeCursor},
}

func (t *topologyReader) plane(e entry, index int, crtcs *names) vkms.Plane {
	p := vkms.Plane{Name: e.name, Type: uapi.PlaneTypeOverlay, PossibleCRTCs: crtcs.all()}
	attributes := t.hardwarePlane(index)
	attributes["type"] = func(n *yaml.Node, path string) { choose(t.reader, n, path, &p.Type, planeTypes) }
	attributes["possible_crtcs"] = func(n *yaml.Node, path string) { p.PossibleCRTCs = t.mask(n, path, "CRTC", crtcs) }
	t.mapping(e.value, e.path, attributes)
	return p
}

func (t *topologyReader) encoder(e entry, index int, crtcs, encoders *names) vkms.Encoder {
	c := vkms.Encoder{Name: e.name, PossibleCRTCs: crtcs.all()}
	attributes := t.hardwareEncoder(index, encoders)
	attributes["possible_crtcs"] = func(n *yaml.Node, path string) { c.PossibleCRTCs = t.mask(n, path, "CRTC", crtcs) }
	t.mapping(e.value, e.path, attributes)
	return c
}

var statuses = choices[uint32]{
	{"connected", uapi.ModeConnected}, {"disconnected", uapi.ModeDisconnected}, {"unknown", uapi.ModeUnknownConnection},
	{"1", uapi.ModeConnected}, {"2", uapi.ModeDisconnected}, {"3", uapi.ModeUnknownConnection},
}

// connector reads a connector without its encoders. The serial number of its
// monitor is its position, from 1.
func (t *topologyReader) connector(e entry, index int) vkms.Connector {
	c := vkms.Connector{Name: e.name}
	var source *yaml.Node // of the monitor
	attributes := t.hardwareConnector(index)
	maps.Copy(attributes, fields{
		"type":              func(n *yaml.Node, path string) { choose(t.reader, n, path, &c.Type, connectorTypes) },
		"status":            func(n *yaml.Node, path string) { choose(t.reader, n, path, &c.Status, statuses) },
		"possible_encoders": func(*yaml.Node, string) {}, // see possibleEncoders
		"monitor": func(n *yaml.Node, path string) {
			t.twice(source, n, path)
			source = n
			c.Monitor = t.monitor(n, path, index+1)
		},
		"edid": func(n *yaml.Node, path string) {
			t.twice(source, n, path)
			source = n
			file, ok := t.scalar(n, path)
			if !ok {
				return
			}
			if !filepath.IsAbs(file) {
				file = filepath.Join(t.dir, file)
			}
			var err error
			if c.Monitor, err = readEDID(file); err != nil {
				t.fail(n, path, "%v", err)
			}
		},
	})
	t.mapping(e.value, e.path, attributes)
	if given := t.hardware.connectors[index]; given != nil {
		t.subconnector(e.key, e.path, c.Type, given.Properties)
	}
	return c
}

func (t *topologyReader) twice(first, n *yaml.Node, path string) {
	if first != nil {
		t.fail(n, path, "the connector already has a monitor (line %d); remove one", first.Line)
	}
}

// possibleEncoders reads the encoders of a connector.
func (t *topologyReader) possibleEncoders(e entry, c *vkms.Connector, encoders *names) {
	quiet := new(reader) // connector has reported the errors of this entry
	for _, attribute := range quiet.entries(e.value, e.path) {
		if attribute.name == "possible_encoders" {
			c.PossibleEncoders = t.mask(attribute.value, attribute.path, "encoder", encoders)
			return
		}
	}
	switch {
	case encoders.listed && len(encoders.words) == 1:
		c.PossibleEncoders = 1
	case encoders.listed:
		t.fail(e.key, e.path, "the connector names no encoder; write possible_encoders: [NAME]")
	}
}

func (n *names) all() uint32 { return uint32(1)<<len(n.words) - 1 }

// mask reads a list of names.
func (t *topologyReader) mask(n *yaml.Node, path, what string, known *names) (mask uint32) {
	for _, item := range t.items(n, path) {
		i := slices.Index(known.words, item.Value)
		if i < 0 {
			t.fail(item, path, "there is no %s called %q; %s", what, item.Value, suggest(item.Value, known.words))
			continue
		}
		mask |= 1 << i
	}
	return mask
}
