// Package uapi is the ABI between DRM clients and the kernel, in Go: request
// numbers, constants and argument structs, and descriptions of them for
// programs that print arguments by name ([LookupRequest]). Package
// drm and its parts decode what clients send with it; drivers use its
// constants; clients in Go use it to make requests. Nothing in it allocates or
// locks.
//
// # Where it comes from
//
// All files named *_gen.go are generated from the C headers: drm.h, drm_mode.h,
// drm_fourcc.h and xf86drmMode.h of libdrm, linux/dma-buf.h and
// linux/sync_file.h of the kernel, and, for requests that are younger than the
// headers of Debian 12, internal/gen/newer.h. The headers are also where the
// meaning of a field is written down. Run "go generate" with the Debian
// packages gcc, libdrm-dev and linux-libc-dev installed; the tests hold every
// size, offset and value against the headers of the machine they run on.
//
// # Names
//
// A C name becomes a Go name by rule. The prefix drm_ or DRM_ falls away, the
// words between underscores are capitalised and joined, and words that C glues
// together are taken apart:
//
//	struct drm_mode_card_res     ModeCardRes
//	fb_id_ptr                    FBIDPtr
//	DRM_IOCTL_MODE_GETRESOURCES  IoctlModeGetResources
//	DRM_CLIENT_CAP_ATOMIC        ClientCapAtomic
//	struct dma_buf_sync          DMABufSync
//
// Exceptions are few: struct drm_mode_modeinfo is ModeInfo; the types of events
// are EventTypeVblank and so on, because EventVblank is the struct; pixel
// formats keep their names to the letter (FormatXRGB8888_A8). Every declaration
// has its C name beside it.
//
// # Layout
//
// The structs are those of the 64-bit ABI, with padding spelled out, so that
// they are the same for every Go compiler, and so that [encoding/binary] and a
// copy of memory agree. A pointer is a uint64, the address in the client's
// memory. A union is its members, side by side: DRM_IOCTL_WAIT_VBLANK takes a
// [WaitVblankRequest] and gives back a [WaitVblankReply] of the same size.
// Requests of 32-bit clients whose layouts differ are not described.
//
// Request numbers have the encoding that amd64, arm64, riscv64 and loong64
// share.
//
// # What is left out
//
// The structs and constants of user-mode-setting drivers (DMA buffers, AGP,
// hardware locks), which the kernel removed in Linux 6.8, and the vendors' format
// modifiers. [IoctlName] still knows the removed requests.
package uapi

//go:generate go run ./internal/gen
