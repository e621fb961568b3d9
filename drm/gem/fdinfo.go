package gem

import (
	"fmt"
	"strings"

	"github.com/udrm/udrm/drm"
)

// MemoryStats sums up the bytes of the buffers that a file has handles of: struct
// drm_memory_stats. No buffer is purgeable.
type MemoryStats struct {
	Private, Shared  uint64 // shared with another handle, or exported as a dma-buf
	Active, Resident uint64 // with pending fences; in memory, as all buffers here are
}

// MemoryStats returns the sums of a file.
func (m *Manager) MemoryStats(f *drm.File) MemoryStats {
	var s MemoryStats
	for _, o := range m.handles(f).Objects() {
		if o.handles.Load() > 1 || o.shared() {
			s.Shared += o.size
		} else {
			s.Private += o.size
		}
		s.Resident += o.size
		if reading, writing := o.fences.busy(); reading || writing {
			s.Active += o.size
		}
	}
	return s
}

func (o *Object) shared() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dmaBuf != nil
}

// FDInfo returns the lines of a memory region for /proc/PID/fdinfo
// (drm_print_memory_stats): total and shared, and those of the keys that the driver
// tells, of active, resident and purgeable.
func (s MemoryStats) FDInfo(region string, keys ...string) string {
	var b strings.Builder
	line := func(key string, size uint64) {
		unit := ""
		for _, larger := range []string{" KiB", " MiB"} {
			if size == 0 || size%1024 != 0 {
				break
			}
			size, unit = size/1024, larger
		}
		fmt.Fprintf(&b, "drm-%s-%s:\t%d%s\n", key, region, size, unit)
	}
	line("total", s.Private+s.Shared)
	line("shared", s.Shared)
	for _, key := range keys {
		line(key, map[string]uint64{"active": s.Active, "resident": s.Resident}[key])
	}
	return b.String()
}
