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

// namesAtOnce is how many names showNames looks at while all others wait.
const namesAtOnce = 1024

// showNames is drm_gem_name_info. The names are not those of one moment if there are
// many.
func (m *Manager) showNames() string {
	var out strings.Builder
	out.WriteString("  name     size handles refcount\n")
	for next := uint32(1); next != 0; {
		next = m.someNames(&out, next)
	}
	return out.String()
}

// someNames writes a part of the names, from one on. It returns where to go on, or 0.
func (m *Manager) someNames(out *strings.Builder, from uint32) (next uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, o := range m.names.From(from) {
		if name >= from+namesAtOnce {
			return name
		}
		fmt.Fprintf(out, "%6d %8d %7d %8d\n", name, o.size, o.handles.Load(), o.refs.Load())
	}
	return 0
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
