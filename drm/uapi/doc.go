// Package uapi is the ABI between DRM clients and the kernel, in Go: request
// numbers, constants and argument structs. [LookupRequest] describes them for
// programs that print arguments by name. Package drm and its parts decode
// requests with this package, drivers use its constants, and clients in Go make
// requests with it. Nothing in it allocates or locks.
//
// # Sources
//
// All files named *_gen.go are generated from the C headers: drm.h, drm_mode.h,
// drm_fourcc.h and xf86drmMode.h of libdrm, linux/dma-buf.h and
// linux/sync_file.h of the kernel, and, for requests that are younger than the
// headers of Debian 12, internal/gen/newer.h. The headers also document the
// fields. Run "go generate" with the Debian packages gcc, libdrm-dev and
// linux-libc-dev installed. The tests compare every size, offset and value with
// the headers of the machine that they run on.
//
// # Names
//
// A C name becomes a Go name by rule. The prefix drm_ or DRM_ is dropped, the
// words between underscores are capitalised and joined, and words that C joins
// without an underscore are separated:
//
//	struct drm_mode_card_res     ModeCardRes
//	fb_id_ptr                    FBIDPtr
//	DRM_IOCTL_MODE_GETRESOURCES  IoctlModeGetResources
//	DRM_CLIENT_CAP_ATOMIC        ClientCapAtomic
//	struct dma_buf_sync          DMABufSync
//
// There are three exceptions: struct drm_mode_modeinfo is ModeInfo; the types
// of events are EventTypeVblank and so on, because EventVblank is the struct;
// pixel formats keep their names (FormatXRGB8888_A8). A comment at each
// declaration has the C name.
//
// # Layout
//
// The structs are those of the 64-bit ABI. Padding is explicit, so that every
// Go compiler lays them out alike, and [encoding/binary] agrees with a copy of
// the memory. A pointer is a uint64, the address in the client's memory. Each
// member of a union is a struct of its own: DRM_IOCTL_WAIT_VBLANK takes a
// [WaitVblankRequest] and returns a [WaitVblankReply] of the same size. The
// different layouts of some requests of 32-bit clients are left out.
//
// Request numbers have the encoding that amd64, arm64, riscv64 and loong64
// share.
//
// # What is left out
//
// The package lacks the structs and constants of user-modesetting drivers (DMA
// buffers, AGP, hardware locks), which Linux 6.8 removed, and the vendors'
// format modifiers. [IoctlName] still knows the removed requests.
package uapi

//go:generate go run ./internal/gen
