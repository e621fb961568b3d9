package main

import (
	_ "embed"
	"regexp"
)

// newer.h declares requests that the installed headers may be too old for.
//
//go:embed newer.h
var newerHeader []byte

// A header is one input.
type header struct {
	include string // as C includes it; its base name identifies it in the compiler's output
	pkg     string // the Debian package that ships it; "" for newer.h
	macros  *regexp.Regexp
	except  *regexp.Regexp // nil: nothing
	structs bool           // whether its structs are taken
}

// The inputs, in the order in which the output lists them.
var headers = []header{
	{
		include: "drm.h", pkg: "libdrm-dev", structs: true,
		macros: regexp.MustCompile(`^_?DRM_`),
		except: removedMacros,
	},
	{
		include: "drm_mode.h", pkg: "libdrm-dev", structs: true,
		macros: regexp.MustCompile(`^(DRM_|FORMAT_BLOB_)`),
	},
	{
		// Values that clients see, but that only the kernel's internal headers
		// define.
		include: "xf86drmMode.h", pkg: "libdrm-dev",
		macros: regexp.MustCompile(`^DRM_PLANE_TYPE_`),
	},
	{
		include: "drm_fourcc.h", pkg: "libdrm-dev",
		macros: regexp.MustCompile(`^DRM_FORMAT_`),
		// No driver here has memory with a vendor's modifier.
		except: regexp.MustCompile(`^DRM_FORMAT_(RESERVED$|MOD_(.*_|NONE$|VENDOR))`),
	},
	{
		include: "linux/dma-buf.h", pkg: "linux-libc-dev", structs: true,
		macros: regexp.MustCompile(`^DMA_BUF_`),
	},
	{
		include: "linux/sync_file.h", pkg: "linux-libc-dev", structs: true,
		macros: regexp.MustCompile(`^SYNC_IOC_`),
	},
	{
		// Last, so that the headers before it take precedence.
		include: "newer.h", structs: true,
		macros: regexp.MustCompile(`^(DRM|SYNC_IOC)_`),
	},
}

// extraIncludes are needed to compile the inputs' macros: DRM_CLOEXEC is
// O_CLOEXEC.
var extraIncludes = []string{"fcntl.h"}

// ioctlMacro matches the macros that are request numbers.
var ioctlMacro = regexp.MustCompile(`^(DRM_IOCTL_|DMA_BUF_IOCTL_|DMA_BUF_SET_NAME|SYNC_IOC_)`)

// ioctlBase matches ioctlMacro although it is a type byte.
var ioctlBase = regexp.MustCompile(`^(DRM_IOCTL_BASE|SYNC_IOC_MAGIC)$`)

// enums whose values are taken, and the header that declares each.
var enums = []struct{ name, include string }{
	{"drm_vblank_seq_type", "drm.h"},
	{"drm_mode_subconnector", "drm_mode.h"},
	{"drmModeConnection", "xf86drmMode.h"},
}

// Linux 6.8 removed the drivers for user modesetting. The numbers of their
// requests are kept, so that a trace can name them. Their structs and constants
// are left out, because no driver serves the requests.
var (
	removedMacros  = regexp.MustCompile(`^(_DRM_LOCK|_DRM_(PRE|POST)_MODESET$|DRM_NAME$|DRM_(MIN|MAX)_ORDER$|DRM_RAM_PERCENT$)`)
	removedStructs = regexp.MustCompile(`^drm_(agp_.*|block|buf_.*|control|ctx.*|dma|draw|drawable_info|hw_lock|irq_busid|list|lock|map|modeset_ctl|scatter_gather|tex_region|update_draw)$`)
)
