package kms

import (
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// A PropertyInfo describes a property, for programs that print values by name.
type PropertyInfo struct {
	Name   string
	Flags  uint32   // uapi.ModeProp*
	Values []uint64 // limits of a range; the type of an object; values of enums, bits of bitmasks
	Enums  []string // the names of Values, for enums and bitmasks
}

// PropertyInfo describes the property of that id. ok is false if there is no
// such property. The slices of info must not be changed.
func (m *ModeConfig) PropertyInfo(id uint32) (info PropertyInfo, ok bool) {
	p, ok := findAs[*Property](&m.objects, id, uapi.ModeObjectProperty)
	if !ok {
		return info, false
	}
	return PropertyInfo{p.name, p.flags, p.values, p.enums}, true
}

// ObjectType returns the type of the object of that id, one of
// uapi.ModeObject*, or 0 if there is no such object.
func (m *ModeConfig) ObjectType(id uint32) uint32 {
	o := m.objects.find(id, uapi.ModeObjectAny)
	if o == nil {
		return 0
	}
	defer m.objects.release(o)
	return o.objectType()
}

// A FramebufferInfo describes a framebuffer, for programs that list them.
type FramebufferInfo struct {
	ID            uint32
	Width, Height uint32
	Format        *fourcc.Format
	Comm          string // the name of the process that made it
}

// FramebufferInfos describes the framebuffers of the device, in order of id.
func (m *ModeConfig) FramebufferInfos() (list []FramebufferInfo) {
	for _, fb := range m.objects.framebuffers() {
		list = append(list, FramebufferInfo{fb.id, fb.width, fb.height, fb.format, fb.comm})
		m.objects.put(fb)
	}
	return list
}

// BlobData returns the bytes of the blob of that id. ok is false if there is no
// such blob. The bytes must not be changed.
func (m *ModeConfig) BlobData(id uint32) (data []byte, ok bool) {
	blob, ok := findAs[*Blob](&m.objects, id, uapi.ModeObjectBlob)
	if !ok {
		return nil, false
	}
	defer m.objects.put(blob)
	return blob.data, true
}

// LegacyPlanes returns the planes that the legacy requests use; cursor may be
// nil.
func (c *CRTC) LegacyPlanes() (primary, cursor *Plane) { return c.config.Primary, c.config.Cursor }
