package vgem

import "github.com/udrm/udrm/drm/uapi"

// The requests of drm/vgem_drm.h, which libdrm does not install.
var (
	IoctlFenceAttach = uapi.IOWR(uapi.CommandBase+1, 16) // argument [FenceAttach]
	IoctlFenceSignal = uapi.IOW(uapi.CommandBase+2, 8)   // argument [FenceSignal]
)

// FenceWrite, a flag of [FenceAttach], makes the fence a write fence:
// VGEM_FENCE_WRITE.
const FenceWrite = 1

// FenceAttach is struct drm_vgem_fence_attach.
type FenceAttach struct {
	Handle   uint32 // of the buffer
	Flags    uint32 // [FenceWrite] or 0
	OutFence uint32 // the name of the fence, for [FenceSignal]
	Pad      uint32 // 0
}

// FenceSignal is struct drm_vgem_fence_signal.
type FenceSignal struct {
	Fence uint32
	Flags uint32 // 0
}
