package config

import (
	"cmp"
	"errors"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
)

// hardware collects what a card has that the kernel's vkms has not. A card with
// any of it has the driver [Lookalike].
type hardware struct {
	first  *yaml.Node // the first such attribute, or nil
	path   string     // of it
	like   bool       // the card was read from a snapshot
	config lookalike.Config

	timeline *bool // of sync objects, if it is given

	// What the objects of the card have, by index, the lists being those of the
	// file.
	planes     map[int]*lookalike.Plane
	crtcs      map[int]*lookalike.CRTC
	encoders   map[int]*lookalike.Encoder
	connectors map[int]*lookalike.Connector
}

// note notes an attribute of such a card.
func (h *hardware) note(n *yaml.Node, path string) {
	if h.first == nil {
		h.first, h.path = n, path
	}
}

func newHardware() *hardware {
	return &hardware{
		config: lookalike.Config{
			Info:   drm.DriverInfo{Name: "vkms", Desc: "Virtual Kernel Mode Setting", Date: "0", Major: 1},
			Bus:    lookalike.Bus{Type: "platform"},
			Limits: kms.Limits{MinWidth: 1, MinHeight: 1, MaxWidth: vkms.MaxSize, MaxHeight: vkms.MaxSize},
		},
		planes: make(map[int]*lookalike.Plane), crtcs: make(map[int]*lookalike.CRTC),
		encoders: make(map[int]*lookalike.Encoder), connectors: make(map[int]*lookalike.Connector),
	}
}

// extra returns the entry of an object, which it makes for the first attribute.
func extra[T any](m map[int]*T, index int) *T {
	if m[index] == nil {
		m[index] = new(T)
	}
	return m[index]
}

// fields returns the attributes of a card that make it look like hardware.
func (t *topologyReader) hardwareFields() fields {
	h := t.hardware
	section := func(read func(n *yaml.Node, path string)) func(*yaml.Node, string) {
		return func(n *yaml.Node, path string) {
			t.display(n, path)
			h.note(n, path)
			read(n, path)
		}
	}
	return fields{
		"like":        func(*yaml.Node, string) {}, // read before the others
		"identity":    section(t.identity),
		"bus":         section(t.bus),
		"module":      section(t.module),
		"caps":        section(t.caps),
		"limits":      section(t.limits),
		"constraints": section(t.constraints),
	}
}

// like reads the snapshot that a card begins with, if the card names one.
func (t *topologyReader) like() {
	for _, e := range new(reader).entries(t.card.value, t.card.path) { // card reports the errors
		if e.name != "like" {
			continue
		}
		t.display(e.value, e.path)
		t.hardware.note(e.value, e.path)
		file, ok := t.scalar(e.value, e.path)
		if !ok {
			return
		}
		if !filepath.IsAbs(file) {
			file = filepath.Join(t.dir, file)
		}
		cards, err := readSnapshot(file)
		switch {
		case err != nil:
			t.fail(e.value, e.path, "%v", err)
		case len(cards) > 1:
			t.fail(e.value, e.path, "%s has %d cards; keep one of them in the file", file, len(cards))
		default:
			t.hardware.config, t.hardware.like = *cards[0].Lookalike, true
		}
	}
}

func (r *reader) text(s *string) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) { *s, _ = r.scalar(n, path) }
}

func (t *topologyReader) identity(n *yaml.Node, path string) {
	info := &t.hardware.config.Info
	t.mapping(n, path, fields{
		"driver":      t.text(&info.Name),
		"description": t.text(&info.Desc),
		"date":        t.text(&info.Date),
		"version": func(n *yaml.Node, path string) {
			text, ok := t.scalar(n, path)
			if !ok {
				return
			}
			m := versionSpec().FindStringSubmatch(text)
			if m == nil {
				t.fail(n, path, "%q is not a version; write it as 1.6.0", text)
				return
			}
			info.Major, info.Minor, info.Patchlevel = number(m[1]), number(m[2]), number(m[3])
		},
	})
}

var versionSpec = compiled(`^(\d{1,9})\.(\d{1,9})\.(\d{1,9})$`)

func (t *topologyReader) bus(n *yaml.Node, path string) {
	b := &t.hardware.config.Bus
	var types choices[string]
	for _, name := range lookalike.BusTypes {
		types = append(types, choice[string]{name, name})
	}
	number := func(set func(v uint32), bits int) func(*yaml.Node, string) {
		return func(n *yaml.Node, path string) {
			var v uint64
			t.number(n, path, &v, 1<<bits-1)
			set(uint32(v))
		}
	}
	t.mapping(n, path, fields{
		"type":             func(n *yaml.Node, path string) { choose(t.reader, n, path, &b.Type, types) },
		"name":             t.text(&b.Name),
		"driver":           t.text(&b.Driver),
		"vendor":           number(func(v uint32) { b.Vendor = uint16(v) }, 16),
		"device":           number(func(v uint32) { b.Device = uint16(v) }, 16),
		"subsystem_vendor": number(func(v uint32) { b.SubsystemVendor = uint16(v) }, 16),
		"subsystem_device": number(func(v uint32) { b.SubsystemDevice = uint16(v) }, 16),
		"class":            number(func(v uint32) { b.Class = v }, 24),
		"revision":         number(func(v uint32) { b.Revision = uint8(v) }, 8),
		"boot_vga":         func(n *yaml.Node, path string) { t.bool(n, path, &b.BootVGA) },
		"compatible": func(n *yaml.Node, path string) {
			b.Compatible = []string{}
			for _, item := range t.items(n, path) {
				b.Compatible = append(b.Compatible, item.Value)
			}
		},
	})
	if err := b.Validate(); err != nil {
		t.fail(n, path, "%v", err)
	}
}

func (t *topologyReader) module(n *yaml.Node, path string) {
	m := &t.hardware.config.Module
	t.mapping(n, path, fields{
		"name": t.text(&m.Name),
		"parameters": func(n *yaml.Node, path string) {
			m.Parameters = nil
			for _, e := range t.entries(n, path) {
				if value, ok := t.scalar(e.value, e.path); ok {
					m.Parameters = append(m.Parameters, bus.Attr{Name: e.name, Content: value + "\n"})
				}
			}
		},
	})
}

func (t *topologyReader) caps(n *yaml.Node, path string) {
	caps, limits := &t.hardware.config.Caps, &t.hardware.config.Limits
	flag := func(b *bool) func(*yaml.Node, string) {
		return func(n *yaml.Node, path string) { t.bool(n, path, b) }
	}
	inverse := func(b *bool) func(*yaml.Node, string) {
		return func(n *yaml.Node, path string) {
			has := !*b
			t.bool(n, path, &has)
			*b = !has
		}
	}
	t.mapping(n, path, fields{
		"atomic":         inverse(&caps.NoAtomic),
		"modifiers":      inverse(&limits.NoModifiers),
		"dumb":           inverse(&caps.NoDumb),
		"import":         inverse(&caps.NoImport),
		"export":         inverse(&caps.NoExport),
		"timeline":       func(n *yaml.Node, path string) { t.hardware.timeline = new(bool); t.bool(n, path, t.hardware.timeline) },
		"cursor_hotspot": flag(&caps.CursorHotspot),
		"async_flips":    flag(&limits.AsyncPageFlip),
		"flip_target":    flag(&limits.PageFlipTarget),
		"prefer_shadow":  flag(&limits.PreferShadow),
		"preferred_depth": func(n *yaml.Node, path string) {
			depth := int(limits.PreferredDepth)
			t.int(n, path, &depth, 0, 64)
			limits.PreferredDepth = uint32(depth)
		},
		"cursor": func(n *yaml.Node, path string) {
			size := lookalike.Size{Width: limits.CursorWidth, Height: limits.CursorHeight}
			t.size(n, path, &size)
			limits.CursorWidth, limits.CursorHeight = size.Width, size.Height
		},
	})
}

func (t *topologyReader) limits(n *yaml.Node, path string) {
	l := &t.hardware.config.Limits
	low, high := lookalike.Size{Width: l.MinWidth, Height: l.MinHeight}, lookalike.Size{Width: l.MaxWidth, Height: l.MaxHeight}
	t.mapping(n, path, fields{
		"min": func(n *yaml.Node, path string) { t.size(n, path, &low) },
		"max": func(n *yaml.Node, path string) { t.size(n, path, &high) },
	})
	if low.Width > high.Width || low.Height > high.Height {
		t.fail(n, path, "the smallest framebuffer, %dx%d, is larger than the largest, %dx%d", low.Width, low.Height, high.Width, high.Height)
	}
	l.MinWidth, l.MinHeight, l.MaxWidth, l.MaxHeight = low.Width, low.Height, high.Width, high.Height
}

func (t *topologyReader) constraints(n *yaml.Node, path string) {
	c := &t.hardware.config.Constraints
	t.mapping(n, path, fields{
		"planes_per_crtc": func(n *yaml.Node, path string) { t.int(n, path, &c.PlanesPerCRTC, 1, 32) },
		"scalers": func(n *yaml.Node, path string) {
			t.int(n, path, &c.Scalers, 0, 32)
			c.NoScaler = c.Scalers == 0
		},
		"async_flips": func(n *yaml.Node, path string) {
			can := true
			t.bool(n, path, &can)
			c.NoAsync = !can
		},
		"bandwidth":      func(n *yaml.Node, path string) { t.bandwidth(n, path, &c.Bandwidth) },
		"cursor_formats": func(n *yaml.Node, path string) { t.formats(n, path, &c.CursorFormats) },
		"cursor_sizes":   func(n *yaml.Node, path string) { t.sizes(n, path, &c.CursorSizes) },
	})
}

// number reads a number in decimal, or in hexadecimal with 0x.
func (r *reader) number(n *yaml.Node, path string, v *uint64, high uint64) {
	text, ok := r.scalar(n, path)
	if !ok {
		return
	}
	parsed, err := strconv.ParseUint(text, 0, 64)
	if err != nil || parsed > high {
		r.fail(n, path, "%q is not a number from 0 to %#x", text, high)
		return
	}
	*v = parsed
}

var (
	pixelSpec     = compiled(`^(\d{1,5})x(\d{1,5})$`)
	bandwidthSpec = compiled(`^(\d{1,9})([kMGT]?)$`)
)

// size reads a size in pixels.
func (r *reader) size(n *yaml.Node, path string, size *lookalike.Size) {
	text, ok := r.scalar(n, path)
	if !ok {
		return
	}
	m := pixelSpec().FindStringSubmatch(text)
	if m == nil {
		r.fail(n, path, "%q is not a size in pixels; write it as 64x64", text)
		return
	}
	*size = lookalike.Size{Width: uint32(number(m[1])), Height: uint32(number(m[2]))}
}

// sizes reads a list of sizes in pixels.
func (r *reader) sizes(n *yaml.Node, path string, list *[]lookalike.Size) {
	for _, item := range r.items(n, path) {
		var size lookalike.Size
		r.size(item, path, &size)
		*list = append(*list, size)
	}
}

// bandwidth reads bytes per second.
func (r *reader) bandwidth(n *yaml.Node, path string, bytes *uint64) {
	text, ok := r.scalar(n, path)
	if !ok {
		return
	}
	m := bandwidthSpec().FindStringSubmatch(text)
	if m == nil || number(m[1]) == 0 {
		r.fail(n, path, "%q is not a number of bytes per second; write it as 900M", text)
		return
	}
	*bytes = uint64(number(m[1]))
	for range strings.Index("_kMGT", cmp.Or(m[2], "_")) {
		*bytes *= 1000
	}
}

// finish makes the card a look-alike if it has such attributes.
func (t *topologyReader) finish(card *Card, console bool) {
	h := t.hardware
	if h.first == nil {
		return
	}
	if card.Driver != VKMS {
		if card.Driver != VGEM { // whose attributes check has reported
			t.fail(h.first, h.path, "cards of driver %s have no such attribute; remove it", card.Driver)
		}
		return
	}
	c := &h.config
	if h.like {
		for kind, e := range t.lists {
			t.fail(e.key, e.path, "the card is like a snapshot, which has its %s; remove them", kind)
		}
	} else {
		c.Caps.Render, c.Caps.Syncobj, c.Caps.SyncobjTimeline = card.VKMS.Render, card.VKMS.Syncobj, card.VKMS.Syncobj
		topology := card.VKMS.Topology
		if topology == nil {
			topology = vkms.NewTopology(1, []vkms.Connector{{Name: "connector0"}}, &card.VKMS)
		}
		h.objects(topology, card.VKMS.Formats)
		if card.VKMS.PlanePipeline {
			for i := range c.Planes {
				if p := &c.Planes[i]; p.Pipelines == nil {
					p.Pipelines = [][]kms.ColoropConfig{vkms.Pipeline()}
				}
			}
		}
	}
	if h.timeline != nil {
		c.Caps.SyncobjTimeline = *h.timeline
	}
	c.Console = console
	if len(t.errs) > t.before {
		return
	}
	if err := c.Validate(); err != nil {
		list := []error{err}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			list = joined.Unwrap()
		}
		for _, err := range list {
			t.fail(t.card.key, t.card.path, "%v", err)
		}
	}
	card.Driver, card.Lookalike = Lookalike, c
}

// errNoValue says how to describe a property that is not a standard one.
var errNoValue = errors.New("not a standard property; describe it, such as {range: [0, 100], value: 50}")
