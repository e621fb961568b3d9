package gem

import (
	"fmt"
	"strings"

	"github.com/udrm/udrm/drm"
)

// DebugfsFiles implements [drm.DebugfsPart].
func (m *Manager) DebugfsFiles(*drm.Device) []drm.DebugfsFile {
	return []drm.DebugfsFile{{Path: "gem_names", Show: m.showNames}}
}

// showNames is drm_gem_name_info.
func (m *Manager) showNames() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out strings.Builder
	out.WriteString("  name     size handles refcount\n")
	for name, o := range m.names.All() {
		fmt.Fprintf(&out, "%6d %8d %7d %8d\n", name, o.size, o.handles.Load(), o.refs.Load())
	}
	return out.String()
}

// Info describes the buffer in lines that begin with indent, for debugfs
// (drm_gem_print_info).
func (o *Object) Info(indent string) string {
	o.manager.mu.Lock()
	name, offset := o.name, o.offset
	o.manager.mu.Unlock()
	imported := "no"
	if o.foreign {
		imported = "yes"
	}
	const pageShift = 12
	var out strings.Builder
	for _, line := range []string{
		fmt.Sprintf("name=%d", name),
		fmt.Sprintf("refcount=%d", o.refs.Load()),
		fmt.Sprintf("start=%08x", offset>>pageShift),
		fmt.Sprintf("size=%d", o.size),
		"imported=" + imported,
	} {
		out.WriteString(indent + line + "\n")
	}
	return out.String()
}
