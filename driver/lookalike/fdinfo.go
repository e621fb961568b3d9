package lookalike

import (
	"fmt"
	"strings"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
)

// fdInfos have what drivers of Linux 7.2 say in /proc/PID/fdinfo of a file, by the
// names of the drivers. The others say nothing there, nor does the core for them.
// Lines about engines are missing, as cards have none.
var fdInfos = map[string]func(f *drm.File, buffers gem.MemoryStats) string{
	"amdgpu":   amdgpuFDInfo,
	"i915":     i915FDInfo,
	"xe":       xeFDInfo,
	"etnaviv":  anyFDInfo,
	"msm":      anyFDInfo,
	"panfrost": anyFDInfo,
	"panthor":  anyFDInfo,
	"v3d":      anyFDInfo,
}

// anyFDInfo is that of drivers with one kind of memory (drm_show_memory_stats).
// What no buffer has is left out.
func anyFDInfo(_ *drm.File, buffers gem.MemoryStats) string {
	var keys []string
	if buffers.Active > 0 {
		keys = append(keys, "active")
	}
	if buffers.Resident > 0 {
		keys = append(keys, "resident")
	}
	return buffers.FDInfo("memory", keys...)
}

func i915FDInfo(_ *drm.File, buffers gem.MemoryStats) string {
	keys := []string{"active", "resident", "purgeable"}
	return buffers.FDInfo("system0", keys...) + gem.MemoryStats{}.FDInfo("stolen-system0", keys...)
}

func xeFDInfo(_ *drm.File, buffers gem.MemoryStats) string {
	return gem.MemoryStats{}.FDInfo("system", "active", "resident", "purgeable") +
		buffers.FDInfo("gtt", "active", "resident") + gem.MemoryStats{}.FDInfo("stolen", "active", "resident")
}

// firstPASID is the first number that amdgpu gives the address space of a file.
const firstPASID = 1 << 15

func amdgpuFDInfo(f *drm.File, buffers gem.MemoryStats) string {
	var b strings.Builder
	fmt.Fprintf(&b, "pasid:\t%d\n", firstPASID+(f.ID()-1)%firstPASID)
	for _, region := range []string{"cpu", "gtt", "vram", "gds", "gws", "oa", "doorbell", "mmioremap"} {
		var in gem.MemoryStats
		if region == "vram" {
			in = buffers
		}
		b.WriteString(in.FDInfo(region, "resident", "purgeable"))
	}
	fmt.Fprintf(&b, "drm-memory-vram:\t%d KiB\n", buffers.Resident/1024)
	b.WriteString("drm-memory-gtt: \t0 KiB\ndrm-memory-cpu: \t0 KiB\namd-evicted-vram:\t0 KiB\n")
	fmt.Fprintf(&b, "amd-requested-vram:\t%d KiB\namd-requested-gtt:\t0 KiB\n", (buffers.Private+buffers.Shared)/1024)
	return b.String()
}
