package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A snapshot is what drm_info -j prints of one card.
type snapshot struct {
	Driver struct {
		Name, Desc string
		Version    struct {
			Major, Minor, Patch int
			Date                string
		}
		ClientCaps map[string]*bool  `json:"client_caps"`
		Caps       map[string]*large `json:"caps"`
	}
	Device *struct {
		Nodes      uint   `json:"available_nodes"`
		BusType    uint   `json:"bus_type"`
		DeviceData busIDs `json:"device_data"`
		BusData    *struct {
			Domain, Bus, Slot, Dev, Function, Func uint
		} `json:"bus_data"`
	}
	FBSize struct {
		MinWidth  uint32 `json:"min_width"`
		MaxWidth  uint32 `json:"max_width"`
		MinHeight uint32 `json:"min_height"`
		MaxHeight uint32 `json:"max_height"`
	} `json:"fb_size"`
	Connectors []snapshotConnector
	Encoders   []struct {
		ID, Type       uint32
		PossibleCRTCs  uint32 `json:"possible_crtcs"`
		PossibleClones uint32 `json:"possible_clones"`
	}
	CRTCs []struct {
		ID         uint32
		GammaSize  int `json:"gamma_size"`
		Properties snapshotProperties
	}
	Planes []struct {
		ID            uint32
		PossibleCRTCs uint32 `json:"possible_crtcs"`
		Formats       []uint32
		Properties    snapshotProperties
	}
}

type busIDs struct {
	Vendor, Device, Product uint16
	SubsystemVendor         uint16 `json:"subsystem_vendor"`
	SubsystemDevice         uint16 `json:"subsystem_device"`
	Compatible              []string
}

type snapshotConnector struct {
	ID, Type, Status, Subpixel uint32
	PhyWidth                   uint32 `json:"phy_width"`
	PhyHeight                  uint32 `json:"phy_height"`
	Encoders                   []uint32
	Modes                      []snapshotMode
	Properties                 snapshotProperties
}

type snapshotMode struct {
	Clock      uint32
	HDisplay   uint16
	HSyncStart uint16 `json:"hsync_start"`
	HSyncEnd   uint16 `json:"hsync_end"`
	HTotal     uint16
	HSkew      uint16
	VDisplay   uint16
	VSyncStart uint16 `json:"vsync_start"`
	VSyncEnd   uint16 `json:"vsync_end"`
	VTotal     uint16
	VScan      uint16
	VRefresh   uint32
	Flags      uint32
	Type       uint32
	Name       string
}

// A large is a number of 64 bits, which some versions of drm_info print as a
// signed one.
type large uint64

// UnmarshalJSON implements [json.Unmarshaler].
func (n *large) UnmarshalJSON(data []byte) error {
	text := string(data)
	if unsigned, err := strconv.ParseUint(text, 10, 64); err == nil {
		*n = large(unsigned)
		return nil
	}
	signed, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number of 64 bits", text)
	}
	*n = large(signed)
	return nil
}

// snapshotProperties are the properties of an object, in the order of the file.
type snapshotProperties []snapshotProperty

// A snapshotProperty is a property with what drm_info prints of its blob.
type snapshotProperty struct {
	lookalike.Property
	data json.RawMessage
}

// UnmarshalJSON implements [json.Unmarshaler].
func (list *snapshotProperties) UnmarshalJSON(data []byte) error {
	entries, err := orderedEntries(data)
	if err != nil {
		return err
	}
	for _, e := range entries {
		p, err := readProperty(e.name, e.value)
		if err != nil {
			return fmt.Errorf("property %s: %w", e.name, err)
		}
		*list = append(*list, p)
	}
	return nil
}

// An orderedEntry is an entry of a JSON object.
type orderedEntry struct {
	name  string
	value json.RawMessage
}

// orderedEntries returns the entries of a JSON object in their order; null has
// none.
func orderedEntries(data []byte) (list []orderedEntry, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // a number is no object, however large it is
	start, err := d.Token()
	switch {
	case err != nil:
		return nil, err
	case start == nil:
		return nil, nil
	case start != json.Delim('{'):
		return nil, errors.New("expected a JSON object")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		e := orderedEntry{}
		e.name, _ = name.(string)
		if err := d.Decode(&e.value); err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	_, err = d.Token()
	return list, err
}

func readProperty(name string, data []byte) (p snapshotProperty, err error) {
	var raw struct {
		Flags uint32
		Value large           `json:"raw_value"`
		Spec  json.RawMessage `json:"spec"`
		Data  json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return p, err
	}
	p.Name, p.Flags, p.Value, p.data = name, raw.Flags, uint64(raw.Value), raw.Data
	switch kind := raw.Flags & (uapi.ModePropLegacyType | uapi.ModePropExtendedType); kind {
	case uapi.ModePropRange, uapi.ModePropSignedRange:
		var limits struct{ Min, Max large }
		err = json.Unmarshal(raw.Spec, &limits)
		p.Min, p.Max = uint64(limits.Min), uint64(limits.Max)
	case uapi.ModePropEnum, uapi.ModePropBitmask:
		var values []struct {
			Name  string
			Value large
		}
		err = json.Unmarshal(raw.Spec, &values)
		for _, v := range values {
			p.Enums = append(p.Enums, kms.PropertyEnum{Value: uint64(v.Value), Name: v.Name})
		}
	case uapi.ModePropObject:
		var objectType large
		err = json.Unmarshal(raw.Spec, &objectType)
		p.Min, p.Value = uint64(objectType), 0
	case uapi.ModePropBlob:
		if name == "PATH" && len(raw.Data) > 0 {
			var path string
			err = json.Unmarshal(raw.Data, &path)
			p.Blob = []byte(path)
		}
	}
	return p, err
}

// decode decodes what drm_info prints of the blob of a property into the value.
// It changes nothing without it.
func (list snapshotProperties) decode(name string, value any) error {
	p := list.property(name)
	if p == nil || len(p.data) == 0 {
		return nil
	}
	if err := json.Unmarshal(p.data, value); err != nil {
		return fmt.Errorf("%s: %w", name, plainly(err))
	}
	return nil
}

// property returns the property with that name, or nil.
func (list snapshotProperties) property(name string) *snapshotProperty {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

// value returns the value of a property, 0 without it.
func (list snapshotProperties) value(name string) uint64 {
	if p := list.property(name); p != nil {
		return p.Value
	}
	return 0
}

// size returns the value of a property that is the size of a table.
func (list snapshotProperties) size(name string) int { return int(min(list.value(name), 1<<20)) }

// ReadSnapshot reads cards that look like those of which drm_info -j has printed
// the file. It fails unless the file has a card. A file as for [ReadFile] is
// read as such.
func ReadSnapshot(path string) ([]Card, error) {
	if data, err := os.ReadFile(path); err == nil && yamlCards().Match(data) {
		return ReadFile(path)
	}
	return readSnapshot(path)
}

// yamlCards matches files that describe cards as those of [ReadFile] do.
var yamlCards = compiled(`(?m)^cards:`)

func readSnapshot(path string) ([]Card, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseSnapshot(path, data)
}

// parseSnapshot reads the cards of a file, whose path is for messages.
func parseSnapshot(path string, data []byte) ([]Card, error) {
	entries, err := orderedEntries(data)
	if err != nil {
		return nil, fmt.Errorf("%s: not the output of drm_info -j: %w", path, err)
	}
	for _, e := range entries {
		if e.name == "driver" { // one card without its node
			entries = []orderedEntry{{name: "card0", value: data}}
			break
		}
	}
	var cards []Card
	for _, e := range entries {
		if !bytes.HasPrefix(bytes.TrimSpace(e.value), []byte("{")) || !bytes.Contains(e.value, []byte(`"driver"`)) {
			continue
		}
		var s snapshot
		if err := json.Unmarshal(e.value, &s); err != nil {
			return nil, fmt.Errorf("%s: %s: not the output of drm_info -j: %w", path, e.name, plainly(err))
		}
		config, err := s.config()
		if err == nil {
			err = config.Validate()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, e.name, err)
		}
		cards = append(cards, Card{Name: e.name[strings.LastIndexByte(e.name, '/')+1:], Driver: Lookalike, Enabled: true, Lookalike: config})
	}
	if len(cards) == 0 {
		return nil, fmt.Errorf("%s: no card in it; write the file with drm_info -j", path)
	}
	if len(cards) > MaxCards {
		return nil, fmt.Errorf("%s: %d cards (limit %d)", path, len(cards), MaxCards)
	}
	return cards, nil
}

// plainly returns an error that says where a value has another type than in the
// output of drm_info -j, without Go's names of types.
func plainly(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	return fmt.Errorf("%s cannot be %s", cmp.Or(wrong.Field, "the card"), wrong.Value)
}

// The bus types of libdrm.
const (
	busPCI    = 0
	busUSB    = 1
	busHost1x = 3
	busFaux   = 4
	busVirtio = 0x10
)

// renderNode is the bit of a render node in available_nodes.
const renderNode = 1 << 2

// noDate is what Linux says since 6.14, where drivers have no date.
const noDate = "0"

func (s *snapshot) config() (*lookalike.Config, error) {
	c := &lookalike.Config{}
	v := s.Driver.Version
	c.Info.Name, c.Info.Desc, c.Info.Date = s.Driver.Name, s.Driver.Desc, cmp.Or(v.Date, noDate)
	c.Info.Major, c.Info.Minor, c.Info.Patchlevel = v.Major, v.Minor, v.Patch
	c.Bus = s.bus()
	s.caps(c)
	crtcs := make(map[uint32]int)
	for i, crtc := range s.CRTCs {
		crtcs[crtc.ID] = i
		c.CRTCs = append(c.CRTCs, lookalike.CRTC{
			Name: fmt.Sprintf("crtc%d", i), GammaSize: crtc.GammaSize,
			LUTSize: crtc.Properties.size("GAMMA_LUT_SIZE"), DegammaSize: crtc.Properties.size("DEGAMMA_LUT_SIZE"),
			CTM: crtc.Properties.property("CTM") != nil, Properties: unset(crtc.Properties), Only: true,
		})
	}
	encoders := make(map[uint32]int)
	for i, e := range s.Encoders {
		encoders[e.ID] = i
		c.Encoders = append(c.Encoders, lookalike.Encoder{
			Name: fmt.Sprintf("encoder%d", i), Type: e.Type,
			PossibleCRTCs: e.PossibleCRTCs & first(len(s.CRTCs)), PossibleClones: e.PossibleClones & first(len(s.Encoders)),
		})
	}
	for i := range s.Connectors {
		connector, err := s.Connectors[i].connector(encoders)
		if err != nil {
			return nil, fmt.Errorf("connector %d: %w", s.Connectors[i].ID, err)
		}
		connector.Name = fmt.Sprintf("connector%d", i)
		c.Connectors = append(c.Connectors, connector)
	}
	for i, p := range s.Planes {
		plane := lookalike.Plane{
			Name: fmt.Sprintf("plane%d", i), Type: int(p.Properties.value("type")), PossibleCRTCs: p.PossibleCRTCs & first(len(s.CRTCs)), Formats: p.Formats,
			Properties: unset(p.Properties), Only: true,
		}
		if err := p.Properties.layouts(&plane); err != nil {
			return nil, fmt.Errorf("plane %d: %w", p.ID, err)
		}
		if p.Properties.property("SCALING_FILTER") != nil {
			plane.MinScale, plane.MaxScale = kms.NoScaling/8, kms.NoScaling*8
		}
		c.Planes = append(c.Planes, plane)
	}
	c.LegacyPlanes()
	return c, nil
}

// first returns a mask of the first n objects. Masks of kernels before 5.11 can have
// more bits.
func first(n int) uint32 { return uint32(uint64(1)<<min(n, 32) - 1) }

// A layout is an entry of IN_FORMATS.
type layout struct {
	Modifier large
	Formats  []uint32
}

// layouts sets what framebuffers and cursors the plane can show. Old versions of
// drm_info print less of it.
func (list snapshotProperties) layouts(plane *lookalike.Plane) error {
	var all, async []layout
	var hints []struct{ Width, Height uint16 }
	if err := errors.Join(list.decode("IN_FORMATS", &all), list.decode("IN_FORMATS_ASYNC", &async), list.decode("SIZE_HINTS", &hints)); err != nil {
		return err
	}
	plane.Modifiers = modifiers(len(plane.Formats), all)
	for _, m := range modifiers(math.MaxInt, async) {
		plane.AsyncModifiers = append(plane.AsyncModifiers, m.Modifier)
		plane.AsyncFormats = append(plane.AsyncFormats, m.Formats...)
	}
	if len(async) > 0 {
		plane.AsyncFormats = slices.DeleteFunc(slices.Clone(plane.Formats), func(f uint32) bool { return !slices.Contains(plane.AsyncFormats, f) })
	}
	for _, h := range hints {
		plane.SizeHints = append(plane.SizeHints, lookalike.Size{Width: uint32(h.Width), Height: uint32(h.Height)})
	}
	if len(hints) > 0 {
		plane.Properties = slices.DeleteFunc(plane.Properties, func(p lookalike.Property) bool { return p.Name == "SIZE_HINTS" })
	}
	return nil
}

// modifiers joins the entries of IN_FORMATS that have the same modifier: one has
// at most 64 formats.
func modifiers(formats int, entries []layout) (list []lookalike.Modifier) {
	index := make(map[uint64]int)
	for _, e := range entries {
		modifier, formats := uint64(e.Modifier), e.Formats
		at, known := index[modifier]
		if !known {
			at = len(list)
			index[modifier] = at
			list = append(list, lookalike.Modifier{Modifier: modifier, Formats: []uint32{}})
		}
		list[at].Formats = append(list[at].Formats, formats...)
	}
	for i := range list {
		if len(list[i].Formats) >= formats {
			list[i].Formats = nil
		}
	}
	return list
}

// stateProperties are what clients have set when a snapshot was made. A card
// begins without it.
var stateProperties = map[string]uint64{
	"ACTIVE": 0, "MODE_ID": 0, "CRTC_X": 0, "CRTC_Y": 0, "CRTC_W": 0, "CRTC_H": 0, "SRC_X": 0, "SRC_Y": 0, "SRC_W": 0, "SRC_H": 0,
	"DPMS": 0, "link-status": 0, "VRR_ENABLED": 0, "OUT_FENCE_PTR": 0,
}

// unset returns the properties without what clients have set.
func unset(list snapshotProperties) (properties []lookalike.Property) {
	for i := range list {
		p := list[i].Property
		if value, ok := stateProperties[p.Name]; ok {
			p.Value = value
		}
		properties = append(properties, p)
	}
	return properties
}

// bus returns where the card is. A device that is null is on a bus that libdrm does
// not know, such as faux.
func (s *snapshot) bus() lookalike.Bus {
	if s.Device == nil {
		return lookalike.Bus{Type: "faux"}
	}
	ids := s.Device.DeviceData
	b := lookalike.Bus{
		Vendor: ids.Vendor, Device: ids.Device, SubsystemVendor: ids.SubsystemVendor, SubsystemDevice: ids.SubsystemDevice,
	}
	switch s.Device.BusType {
	case busPCI:
		b.Type, b.BootVGA = "pci", true
		const intel = 0x8086
		if ids.Vendor != intel {
			b.Name = "0000:01:00.0"
		}
		if s.Driver.Name == "virtio_gpu" {
			b.Type = "virtio"
		}
		if at := s.Device.BusData; at != nil {
			b.Name = fmt.Sprintf("%04x:%02x:%02x.%d", at.Domain, at.Bus, at.Slot|at.Dev, at.Function|at.Func)
		}
	case busUSB:
		b.Type, b.Device = "usb", ids.Product
	case busHost1x:
		b.Type, b.Compatible = "host1x", ids.Compatible
	case busFaux:
		b.Type = "faux"
	case busVirtio:
		b.Type = "virtio"
	default:
		b.Type = "platform"
		// Of a device that is not in the device tree, libdrm returns the name.
		if len(ids.Compatible) == 1 && !strings.Contains(ids.Compatible[0], ",") {
			b.Name = ids.Compatible[0]
		} else if len(ids.Compatible) > 0 {
			b.Compatible = ids.Compatible
		}
	}
	if b.Type == "virtio" && b.Name == "0000:01:00.0" {
		b.Name = ""
	}
	return b
}

// caps sets the features and limits of the card.
func (s *snapshot) caps(c *lookalike.Config) {
	has := func(name string, otherwise uint64) uint64 {
		if v := s.Driver.Caps[name]; v != nil {
			return uint64(*v)
		}
		return otherwise
	}
	client := func(name string, otherwise bool) bool {
		if v := s.Driver.ClientCaps[name]; v != nil {
			return *v
		}
		return otherwise
	}
	prime := has("PRIME", uapi.PrimeCapImport|uapi.PrimeCapExport)
	c.Caps = lookalike.Caps{
		Render:  s.Device != nil && s.Device.Nodes&renderNode != 0,
		Syncobj: has("SYNCOBJ", 0) != 0, SyncobjTimeline: has("SYNCOBJ_TIMELINE", 0) != 0,
		NoAtomic: !client("ATOMIC", false), NoDumb: has("DUMB_BUFFER", 1) == 0,
		NoImport: prime&uapi.PrimeCapImport == 0, NoExport: prime&uapi.PrimeCapExport == 0,
		CursorHotspot: client("CURSOR_PLANE_HOTSPOT", false),
	}
	c.Limits = kms.Limits{
		MinWidth: s.FBSize.MinWidth, MaxWidth: s.FBSize.MaxWidth, MinHeight: s.FBSize.MinHeight, MaxHeight: s.FBSize.MaxHeight,
		CursorWidth: uint32(has("CURSOR_WIDTH", 0)), CursorHeight: uint32(has("CURSOR_HEIGHT", 0)),
		PreferredDepth: uint32(has("DUMB_PREFERRED_DEPTH", 0)), PreferShadow: has("DUMB_PREFER_SHADOW", 0) != 0,
		AsyncPageFlip: has("ASYNC_PAGE_FLIP", 0) != 0, PageFlipTarget: has("PAGE_FLIP_TARGET", 0) != 0, NoModifiers: has("ADDFB2_MODIFIERS", 0) == 0,
	}
}

func (s *snapshotConnector) connector(encoders map[uint32]int) (c lookalike.Connector, err error) {
	c = lookalike.Connector{Type: s.Type, Status: s.Status, Properties: unset(s.Properties), Only: true}
	if s.Subpixel > 0 {
		c.Subpixel = s.Subpixel - 1 // libdrm counts from 1
	}
	for _, id := range s.Encoders {
		if e, ok := encoders[id]; ok {
			c.PossibleEncoders = append(c.PossibleEncoders, e)
		}
	}
	if s.Type == uapi.ModeConnectorWriteback {
		return c, s.Properties.decode("WRITEBACK_PIXEL_FORMATS", &c.WritebackFormats)
	}
	monitor := &kms.Monitor{WidthMM: s.PhyWidth, HeightMM: s.PhyHeight, NonDesktop: s.Properties.value("non-desktop") != 0}
	for i := range s.Modes {
		m := s.Modes[i].mode()
		monitor.Modes = append(monitor.Modes, m)
		const kinds = uapi.ModeFlagInterlace | uapi.ModeFlagDblscan | uapi.ModeFlag3DMask
		c.ModeFlags |= m.Flags & kinds
		if m.Flags&uapi.ModeFlag3DMask != 0 {
			c.ModeFlags |= uapi.ModeFlag3DMask
		}
	}
	if s.Properties.value("EDID") != 0 {
		monitor.EDID = substituteEDID(monitor, s.ID)
	}
	// drm_info does not probe. A connector whose status is unknown, without modes, had
	// not been probed before either: a probe of the kernel would have added the
	// fallback modes.
	if len(monitor.Modes) == 0 && s.Status != uapi.ModeUnknownConnection {
		monitor.With420 = []mode.Mode{} // no fallback modes
	}
	if len(monitor.Modes) > 0 || s.Status != uapi.ModeDisconnected {
		c.Monitor = monitor
	}
	return c, nil
}

// substituteEDID makes an EDID, as a snapshot does not have it. It returns nil
// if the modes do not fit into one.
func substituteEDID(monitor *kms.Monitor, serial uint32) []byte {
	m := edid.Monitor{
		Name: defaultName, Serial: serial, WidthMM: min(int(monitor.WidthMM), edid.MaxSizeMM), HeightMM: min(int(monitor.HeightMM), edid.MaxSizeMM),
		NonDesktop: monitor.NonDesktop,
	}
	for _, timing := range monitor.Modes {
		m.Modes = []mode.Mode{timing}
		if data, err := m.Encode(); err == nil {
			return data
		}
	}
	return nil
}

func (m *snapshotMode) mode() mode.Mode {
	return mode.Mode{
		Clock: m.Clock, HDisplay: m.HDisplay, HSyncStart: m.HSyncStart, HSyncEnd: m.HSyncEnd, HTotal: m.HTotal, HSkew: m.HSkew,
		VDisplay: m.VDisplay, VSyncStart: m.VSyncStart, VSyncEnd: m.VSyncEnd, VTotal: m.VTotal, VScan: m.VScan,
		Flags: m.Flags, Type: m.Type, Name: m.Name,
	}
}
