package aim

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/machine"
)

// matches reports whether a call is an event of the rule.
func (r *Rule) matches(c *drm.Call, card *machine.Card) bool {
	if !r.Event.is(c) || card != nil && (c.Minor == nil || !card.Owns(c.Minor.Device())) {
		return false
	}
	if (r.Comm != "" || r.PID != 0) && !r.isProgram(clientOf(c)) {
		return false
	}
	if r.CRTC == 0 && r.Property == "" && r.Flag == "" && r.Planes == nil && r.Bandwidth == nil {
		return true
	}
	a := readArgument(c)
	return a != nil && (r.Flag == "" || a.hasFlag(r.Flag)) && (r.CRTC == 0 || a.concerns(r.CRTC)) &&
		(r.Property == "" || a.sets(r.Property)) && r.uses(a)
}

// isProgram reports whether the filters let the program pass.
func (r *Rule) isProgram(client drm.Client) bool {
	return (r.Comm == "" || client.Comm == r.Comm) && (r.PID == 0 || client.PID == r.PID)
}

// hasFlag reports whether the request is MODE_ATOMIC with the flag or, with "!",
// without it.
func (a *argument) hasFlag(flag string) bool {
	name, without := strings.CutPrefix(flag, "!")
	return a.request.Cmd == uapi.IoctlModeAtomic && (a.field("flags")&atomicFlags[name] != 0) != without
}

// clientOf returns the process of a call.
func clientOf(c *drm.Call) drm.Client {
	if c.Caller != nil {
		return c.Caller.Client()
	}
	return c.File.Client()
}

// An argument is what a program passes to a request, with the display that the
// request is for. It is read from the program's memory, at the start of the
// call: a filter decides once for all points.
type argument struct {
	request *uapi.Request
	bytes   []byte
	display *kms.ModeConfig

	// Of MODE_ATOMIC.
	objects []uint32
	set     []setting
}

// A setting is one property that MODE_ATOMIC sets.
type setting struct {
	object   uint32
	property uint32
	value    uint64
}

// readArgument returns nil if the request has no argument, or none that can be
// read.
func readArgument(c *drm.Call) *argument {
	request := uapi.LookupRequest(c.Cmd)
	if c.Minor == nil || request == nil || request.In == nil {
		return nil
	}
	a := &argument{request: request, bytes: make([]byte, max(int(uapi.IOCSize(c.Cmd)), int(request.In.Size)))}
	var ok bool
	if a.display, ok = drm.PartOf[*kms.ModeConfig](c.Minor.Device()); !ok {
		return nil
	}
	if c.Caller.CopyFromUser(a.bytes[:uapi.IOCSize(c.Cmd)], c.Addr) != nil {
		return nil
	}
	if request.Cmd == uapi.IoctlModeAtomic && !a.readAtomic(c.Caller) {
		return nil
	}
	return a
}

// maxSettings is how many objects and properties of one MODE_ATOMIC a filter
// looks at.
const maxSettings = 1 << 14

func (a *argument) readAtomic(m drm.Memory) bool {
	count := a.field("count_objs")
	var counts, properties []uint32
	if count > maxSettings || !read32(m, a.field("objs_ptr"), count, &a.objects) || !read32(m, a.field("count_props_ptr"), count, &counts) {
		return false
	}
	total := uint64(0)
	for _, n := range counts {
		total += uint64(n)
	}
	values := make([]byte, 8*min(total, maxSettings))
	if total > maxSettings || !read32(m, a.field("props_ptr"), total, &properties) || m.CopyFromUser(values, a.field("prop_values_ptr")) != nil {
		return false
	}
	object, left := -1, uint32(0)
	for i, id := range properties {
		for left == 0 {
			object++
			left = counts[object]
		}
		left--
		a.set = append(a.set, setting{a.objects[object], id, binary.NativeEndian.Uint64(values[8*i:])})
	}
	return true
}

func read32(m drm.Memory, addr, count uint64, to *[]uint32) bool {
	bytes := make([]byte, 4*count)
	if m.CopyFromUser(bytes, addr) != nil {
		return false
	}
	for ; len(bytes) > 0; bytes = bytes[4:] {
		*to = append(*to, binary.NativeEndian.Uint32(bytes))
	}
	return true
}

// field returns the value of a field of the argument, or 0 if it has none of
// that name.
func (a *argument) field(name string) uint64 {
	for _, f := range a.request.In.Fields {
		if f.Name != name || f.Count > 0 {
			continue
		}
		switch b := a.bytes[f.Offset:]; f.Size {
		case 4:
			return uint64(binary.NativeEndian.Uint32(b))
		case 8:
			return binary.NativeEndian.Uint64(b)
		}
	}
	return 0
}

// concerns reports whether the request names the CRTC, or a plane or connector
// that the CRTC uses or will use.
func (a *argument) concerns(crtc uint32) bool {
	if a.field("crtc_id") == uint64(crtc) || a.field("obj_id") == uint64(crtc) || slices.Contains(a.objects, crtc) {
		return true
	}
	for _, s := range a.set {
		if s.value == uint64(crtc) && a.property(s.property) == "CRTC_ID" {
			return true
		}
	}
	state, objects := a.display.State(), a.changed()
	for _, p := range a.display.Planes() {
		if c := state.Plane(p).CRTC; c != nil && c.ID() == crtc && slices.Contains(objects, p.ID()) {
			return true
		}
	}
	for _, p := range a.display.Connectors() {
		if c := state.Connector(p).CRTC; c != nil && c.ID() == crtc && slices.Contains(objects, p.ID()) {
			return true
		}
	}
	return false
}

// changed returns the planes and connectors that the request changes.
func (a *argument) changed() []uint32 {
	name := ""
	switch a.request.Cmd {
	case uapi.IoctlModeAtomic:
		return a.objects
	case uapi.IoctlModeObjSetProperty:
		name = "obj_id"
	case uapi.IoctlModeSetProperty:
		name = "connector_id"
	case uapi.IoctlModeSetPlane:
		name = "plane_id"
	default:
		return nil
	}
	return []uint32{uint32(a.field(name))}
}

// sets reports whether the request sets the property of that name.
func (a *argument) sets(name string) bool {
	switch a.request.Cmd {
	case uapi.IoctlModeObjSetProperty, uapi.IoctlModeSetProperty:
		return a.property(uint32(a.field("prop_id"))) == name
	}
	return slices.ContainsFunc(a.set, func(s setting) bool { return a.property(s.property) == name })
}

// property returns the name of a property, or "".
func (a *argument) property(id uint32) string {
	info, _ := a.display.PropertyInfo(id)
	return info.Name
}
