package kms

import (
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// Ioctls implements [drm.Part].
func (m *ModeConfig) Ioctls() []drm.Ioctl {
	return []drm.Ioctl{
		drm.NewCoreIoctl(uapi.IoctlModeGetResources, m.getResources),
		drm.NewCoreIoctl(uapi.IoctlModeGetConnector, m.getConnector),
		drm.NewCoreIoctl(uapi.IoctlModeGetEncoder, m.getEncoder),
		drm.NewCoreIoctl(uapi.IoctlModeGetCRTC, m.getCRTC),
		drm.NewCoreIoctl(uapi.IoctlModeGetPlaneResources, m.getPlaneResources),
		drm.NewCoreIoctl(uapi.IoctlModeGetPlane, m.getPlane),

		drm.NewCoreIoctl(uapi.IoctlModeSetCRTC, m.setCRTC),
		drm.NewCoreIoctl(uapi.IoctlModeSetPlane, m.setPlane),
		drm.NewCoreIoctl(uapi.IoctlModePageFlip, m.pageFlip),
		drm.NewCoreIoctl(uapi.IoctlModeCursor, m.cursor),
		drm.NewCoreIoctl(uapi.IoctlModeCursor2, m.cursor2),
		drm.NewCoreIoctl(uapi.IoctlModeGetGamma, m.getGamma),
		drm.Fetching(drm.NewCoreIoctl(uapi.IoctlModeSetGamma, m.setGamma), fetchGamma),
		drm.NewCoreIoctl(uapi.IoctlModeAttachMode, nothing[uapi.ModeModeCmd]),
		drm.NewCoreIoctl(uapi.IoctlModeDetachMode, nothing[uapi.ModeModeCmd]),
		drm.Fetching(drm.NewCoreIoctl(uapi.IoctlModeAtomic, m.atomic), fetchAtomic),

		drm.NewCoreIoctl(uapi.IoctlModeGetProperty, m.getProperty),
		drm.NewCoreIoctl(uapi.IoctlModeObjGetProperties, m.objGetProperties),
		drm.NewCoreIoctl(uapi.IoctlModeSetProperty, m.connectorSetProperty),
		drm.NewCoreIoctl(uapi.IoctlModeObjSetProperty, m.objSetProperty),
		drm.NewCoreIoctl(uapi.IoctlModeGetPropBlob, m.getPropBlob),
		drm.Fetching(drm.NewCoreIoctl(uapi.IoctlModeCreatePropBlob, m.createPropBlob), fetchBlob),
		drm.NewCoreIoctl(uapi.IoctlModeDestroyPropBlob, m.destroyPropBlob),

		drm.NewCoreIoctl(uapi.IoctlModeAddFB, m.addFB),
		drm.NewCoreIoctl(uapi.IoctlModeAddFB2, m.addFB2),
		drm.NewCoreIoctl(uapi.IoctlModeRmFB, m.rmFB),
		drm.NewCoreIoctl(uapi.IoctlModeCloseFB, m.closeFB),
		drm.NewCoreIoctl(uapi.IoctlModeGetFB, m.getFB),
		drm.NewCoreIoctl(uapi.IoctlModeGetFB2, m.getFB2),
		drm.Fetching(drm.NewCoreIoctl(uapi.IoctlModeDirtyFB, m.dirtyFB), fetchClips),

		drm.NewCoreIoctl(uapi.IoctlWaitVblank, m.waitVblank),
		drm.NewCoreIoctl(uapi.IoctlCRTCGetSequence, m.crtcGetSequence),
		drm.NewCoreIoctl(uapi.IoctlCRTCQueueSequence, m.crtcQueueSequence),
	}
}

// nothing accepts requests that have lost their meaning.
func nothing[T any](*drm.RegisteredDevice, *drm.Request, *T) error { return nil }

// fetchAtomic fetches the four arrays of MODE_ATOMIC.
func fetchAtomic(req *drm.Request, arg *uapi.ModeAtomic) {
	size := 4 * uint64(arg.CountObjs)
	req.Fetch(drm.Span{Addr: arg.ObjsPtr, Size: size}, drm.Span{Addr: arg.CountPropsPtr, Size: size})
	properties := uint64(0)
	for _, n := range drm.FetchedArray[uint32](req, arg.CountPropsPtr, arg.CountObjs) {
		properties += uint64(n)
	}
	req.Fetch(drm.Span{Addr: arg.PropsPtr, Size: 4 * properties}, drm.Span{Addr: arg.PropValuesPtr, Size: 8 * properties})
}

func fetchGamma(req *drm.Request, arg *uapi.ModeCRTCLUT) {
	size := 2 * uint64(arg.GammaSize)
	req.Fetch(drm.Span{Addr: arg.Red, Size: size}, drm.Span{Addr: arg.Green, Size: size}, drm.Span{Addr: arg.Blue, Size: size})
}

func fetchBlob(req *drm.Request, arg *uapi.ModeCreateBlob) {
	req.Fetch(drm.Span{Addr: arg.Data, Size: uint64(arg.Length)})
}

func fetchClips(req *drm.Request, arg *uapi.ModeFBDirtyCmd) {
	req.Fetch(drm.Span{Addr: arg.ClipsPtr, Size: clipSize * uint64(arg.NumClips)})
}
