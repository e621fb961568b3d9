package main

import (
	"bytes"
	"math"
	"strings"
)

// A card is the facts about a card.
type card struct {
	driver, desc, date  string
	major, minor, patch int
	device              map[string]any // device_data
	bus                 int            // as libdrm numbers them
	render              bool
	noAtomic            bool
	caps                map[string]int // those that differ from the usual ones
	minSize, maxSize    [2]int
	planes              []plane
	crtcs               []crtc
	encoders            []encoder
	connectors          []connector
}

type plane struct {
	kind      int // 0 overlay, 1 primary, 2 cursor
	crtcs     uint32
	formats   string // codes, with a space between them
	modifiers []uint64
	props     []prop
}

type crtc struct {
	gamma, lut int
	props      []prop
}

type encoder struct {
	kind   int // uapi.ModeEncoder*
	crtcs  uint32
	clones uint32
}

type connector struct {
	kind      int
	connected bool
	mm        [2]int
	encoders  []int
	modes     []map[string]any
	noEDID    bool
	props     []prop
}

// A prop is a property in the form of drm_info.
type prop struct {
	name  string
	flags uint32
	value uint64
	spec  any
	data  any
}

// Flags of properties.
const (
	flagRange     = 1 << 1
	flagImmutable = 1 << 2
	flagEnum      = 1 << 3
	flagBlob      = 1 << 4
	flagBitmask   = 1 << 5
	flagObject    = 1 << 6
	flagSigned    = 2 << 6
	flagAtomic    = 1 << 31
	kindMask      = flagRange | flagEnum | flagBlob | flagBitmask | 0xffc0
)

func rangeProp(name string, value, low, high uint64) prop {
	return prop{name: name, flags: flagRange, value: value, spec: map[string]uint64{"min": low, "max": high}}
}

func boolProp(name string, value uint64) prop { return rangeProp(name, value, 0, 1) }

func signedProp(name string, value, low, high int64) prop {
	return prop{name: name, flags: flagSigned, value: uint64(value), spec: map[string]int64{"min": low, "max": high}}
}

func enumProp(name string, value uint64, names ...string) prop {
	var list []map[string]any
	for i, n := range names {
		if n != "" {
			list = append(list, map[string]any{"name": n, "value": i})
		}
	}
	return prop{name: name, flags: flagEnum, value: value, spec: list}
}

func bitmaskProp(name string, value uint64, names ...string) prop {
	p := enumProp(name, value, names...)
	p.flags = flagBitmask
	return p
}

func blobProp(name string) prop { return prop{name: name, flags: flagBlob} }

func objectProp(name string, objectType uint32) prop {
	return prop{name: name, flags: flagObject | flagAtomic, spec: objectType}
}

func (p prop) immutable() prop { p.flags |= flagImmutable; return p }
func (p prop) atomic() prop    { p.flags |= flagAtomic; return p }

const (
	objectCRTC = 0xcccccccc
	objectFB   = 0xfbfbfbfb
)

// An ids gives objects and properties their ids. Properties with the same name
// and kind are one.
type ids struct {
	next  int
	props map[string]int
}

func (i *ids) id() int { i.next++; return i.next }

func (i *ids) properties(list []prop, atomic bool) map[string]any {
	out := make(map[string]any)
	for _, p := range list {
		if p.flags&flagAtomic != 0 && !atomic {
			continue
		}
		if i.props[p.name] == 0 {
			i.props[p.name] = i.id()
		}
		kind := p.flags & kindMask
		entry := map[string]any{
			"id": i.props[p.name], "flags": p.flags, "type": kind, "atomic": p.flags&flagAtomic != 0,
			"immutable": p.flags&flagImmutable != 0, "raw_value": p.value, "spec": p.spec, "data": p.data, "value": p.value,
		}
		switch {
		case kind == flagBlob:
			entry["value"] = nil
			if p.value != 0 {
				entry["raw_value"] = i.id()
			}
		case kind == flagSigned:
			entry["value"] = int64(p.value)
		case strings.HasPrefix(p.name, "SRC_"):
			entry["data"] = p.value >> 16
		}
		out[p.name] = entry
	}
	return out
}

func codes(text string) (list []uint32) {
	for _, code := range strings.Fields(text) {
		code += strings.Repeat(" ", 4-len(code))
		list = append(list, uint32(code[0])|uint32(code[1])<<8|uint32(code[2])<<16|uint32(code[3])<<24)
	}
	return list
}

func (p *plane) properties() []prop {
	list := []prop{
		enumProp("type", uint64(p.kind), "Overlay", "Primary", "Cursor").immutable(),
		objectProp("FB_ID", objectFB), signedProp("IN_FENCE_FD", -1, -1, math.MaxInt32).atomic(), objectProp("CRTC_ID", objectCRTC),
		signedProp("CRTC_X", 0, math.MinInt32, math.MaxInt32).atomic(), signedProp("CRTC_Y", 0, math.MinInt32, math.MaxInt32).atomic(),
		rangeProp("CRTC_W", 0, 0, math.MaxInt32).atomic(), rangeProp("CRTC_H", 0, 0, math.MaxInt32).atomic(),
		rangeProp("SRC_X", 0, 0, math.MaxUint32).atomic(), rangeProp("SRC_Y", 0, 0, math.MaxUint32).atomic(),
		rangeProp("SRC_W", 0, 0, math.MaxUint32).atomic(), rangeProp("SRC_H", 0, 0, math.MaxUint32).atomic(),
	}
	if p.modifiers != nil {
		var data []map[string]any
		for _, m := range p.modifiers {
			data = append(data, map[string]any{"modifier": m, "formats": modifierFormats(m, codes(p.formats))})
		}
		inFormats := blobProp("IN_FORMATS").immutable()
		inFormats.value, inFormats.data = 1, data
		list = append(list, inFormats)
	}
	return append(list, p.props...)
}

// modifierFormats returns the formats that go with a modifier. Compressed ones of
// Intel go with 32 bits a pixel only.
func modifierFormats(modifier uint64, formats []uint32) (list []uint32) {
	compressed := codes("XR24 AR24 XB24 AB24")
	for _, f := range formats {
		fits := modifier != intelYTiledCCS && modifier != intelYfTiledCCS
		for _, c := range compressed {
			fits = fits || f == c
		}
		if fits {
			list = append(list, f)
		}
	}
	return list
}

func (c *crtc) properties() []prop {
	list := []prop{
		boolProp("ACTIVE", 0).atomic(), blobProp("MODE_ID").atomic(), rangeProp("OUT_FENCE_PTR", 0, 0, math.MaxUint64).atomic(),
	}
	if c.lut > 0 {
		list = append(list, blobProp("GAMMA_LUT"), rangeProp("GAMMA_LUT_SIZE", uint64(c.lut), 0, math.MaxUint32).immutable())
	}
	return append(list, c.props...)
}

func (c *connector) properties() []prop {
	edid := blobProp("EDID").immutable()
	if c.connected && !c.noEDID {
		edid.value = 1
	}
	list := []prop{
		enumProp("DPMS", 0, "On", "Standby", "Suspend", "Off"), enumProp("link-status", 0, "Good", "Bad"),
		boolProp("non-desktop", 0).immutable(), blobProp("TILE").immutable(), objectProp("CRTC_ID", objectCRTC),
	}
	if !c.noEDID {
		list = append(list, edid)
	}
	return append(list, c.props...)
}

// snapshot returns what drm_info -j would print.
func (c *card) snapshot() map[string]any {
	caps := map[string]int{
		"DUMB_BUFFER": 1, "VBLANK_HIGH_CRTC": 1, "DUMB_PREFERRED_DEPTH": 0, "DUMB_PREFER_SHADOW": 0, "PRIME": 3, "TIMESTAMP_MONOTONIC": 1,
		"ASYNC_PAGE_FLIP": 0, "CURSOR_WIDTH": 64, "CURSOR_HEIGHT": 64, "ADDFB2_MODIFIERS": 1, "PAGE_FLIP_TARGET": 0, "CRTC_IN_VBLANK_EVENT": 1,
		"SYNCOBJ": 0, "SYNCOBJ_TIMELINE": 0,
	}
	for name, value := range c.caps {
		caps[name] = value
	}
	nodes := 1
	if c.render {
		nodes |= 1 << 2
	}
	all := &ids{next: 31, props: make(map[string]int)}
	var planes, crtcs, encoders, connectors []map[string]any
	for i := range c.planes {
		p := &c.planes[i]
		planes = append(planes, map[string]any{
			"id": all.id(), "possible_crtcs": p.crtcs, "crtc_id": 0, "fb_id": 0, "crtc_x": 0, "crtc_y": 0, "x": 0, "y": 0, "gamma_size": 0,
			"fb": nil, "formats": codes(p.formats), "properties": all.properties(p.properties(), !c.noAtomic),
		})
	}
	for i := range c.crtcs {
		list := c.crtcs[i].properties()
		if !c.noAtomic {
			list = append(list, boolProp("VRR_ENABLED", 0))
		}
		crtcs = append(crtcs, map[string]any{
			"id": all.id(), "fb_id": 0, "x": 0, "y": 0, "mode": nil, "gamma_size": c.crtcs[i].gamma, "properties": all.properties(list, !c.noAtomic),
		})
	}
	var encoderIDs []int
	for i, e := range c.encoders {
		id := all.id()
		encoderIDs = append(encoderIDs, id)
		encoders = append(encoders, map[string]any{
			"id": id, "type": e.kind, "crtc_id": 0, "possible_crtcs": e.crtcs, "possible_clones": e.clones | 1<<i,
		})
	}
	for i := range c.connectors {
		connectors = append(connectors, c.connectors[i].snapshot(all, encoderIDs, !c.noAtomic))
	}
	return map[string]any{
		"driver": map[string]any{
			"name": c.driver, "desc": c.desc, "version": map[string]any{"major": c.major, "minor": c.minor, "patch": c.patch, "date": c.date},
			"kernel": map[string]any{"sysname": "Linux", "release": "6.12.0", "version": "facts from the driver's source, not recorded"},
			"client_caps": map[string]bool{
				"STEREO_3D": true, "UNIVERSAL_PLANES": true, "ATOMIC": !c.noAtomic, "ASPECT_RATIO": true, "WRITEBACK_CONNECTORS": !c.noAtomic,
			},
			"caps": caps,
		},
		"device": map[string]any{"available_nodes": nodes, "bus_type": c.bus, "device_data": c.device},
		"fb_size": map[string]int{
			"min_width": c.minSize[0], "max_width": c.maxSize[0], "min_height": c.minSize[1], "max_height": c.maxSize[1],
		},
		"connectors": connectors, "encoders": encoders, "crtcs": crtcs, "planes": planes,
	}
}

func (c *connector) snapshot(all *ids, encoderIDs []int, atomic bool) map[string]any {
	status := 2
	modes := []map[string]any{}
	if c.connected {
		status, modes = 1, c.modes
	}
	list := []int{}
	for _, e := range c.encoders {
		list = append(list, encoderIDs[e])
	}
	mm := [2]int{}
	if c.connected {
		mm = c.mm
	}
	return map[string]any{
		"id": all.id(), "type": c.kind, "status": status, "phy_width": mm[0], "phy_height": mm[1], "subpixel": 1,
		"encoder_id": 0, "encoders": list, "modes": modes, "properties": all.properties(c.properties(), atomic),
	}
}

// oneLineEach puts each property, mode and list into a line of its own.
func oneLineEach(data []byte) []byte {
	var out bytes.Buffer
	const deepest = 5 // levels of indentation that keep their lines
	for line := range bytes.Lines(data) {
		text := bytes.TrimLeft(line, "\t")
		if len(line)-len(text) > deepest {
			out.Truncate(len(bytes.TrimRight(out.Bytes(), "\n")))
			out.Write(bytes.TrimRight(text, "\n"))
			out.WriteByte('\n')
			continue
		}
		out.Write(line)
	}
	return out.Bytes()
}
