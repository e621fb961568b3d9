package kms

import (
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// Ioctls implements [drm.Part].
func (m *ModeConfig) Ioctls() []drm.Ioctl {
	const master = drm.IoctlMaster
	return []drm.Ioctl{
		drm.NewIoctl(uapi.IoctlModeGetResources, 0, m.getResources),
		drm.NewIoctl(uapi.IoctlModeGetConnector, 0, m.getConnector),
		drm.NewIoctl(uapi.IoctlModeGetEncoder, 0, m.getEncoder),
		drm.NewIoctl(uapi.IoctlModeGetCRTC, 0, m.getCRTC),
		drm.NewIoctl(uapi.IoctlModeGetPlaneResources, 0, m.getPlaneResources),
		drm.NewIoctl(uapi.IoctlModeGetPlane, 0, m.getPlane),

		drm.NewIoctl(uapi.IoctlModeSetCRTC, master, m.setCRTC),
		drm.NewIoctl(uapi.IoctlModeSetPlane, master, m.setPlane),
		drm.NewIoctl(uapi.IoctlModePageFlip, master, m.pageFlip),
		drm.NewIoctl(uapi.IoctlModeCursor, master, m.cursor),
		drm.NewIoctl(uapi.IoctlModeCursor2, master, m.cursor2),
		drm.NewIoctl(uapi.IoctlModeGetGamma, 0, m.getGamma),
		drm.NewIoctl(uapi.IoctlModeSetGamma, master, m.setGamma),
		drm.NewIoctl(uapi.IoctlModeAttachMode, master, nothing[uapi.ModeModeCmd]),
		drm.NewIoctl(uapi.IoctlModeDetachMode, master, nothing[uapi.ModeModeCmd]),
		drm.NewIoctl(uapi.IoctlModeAtomic, master, m.atomic),

		drm.NewIoctl(uapi.IoctlModeGetProperty, 0, m.getProperty),
		drm.NewIoctl(uapi.IoctlModeObjGetProperties, 0, m.objGetProperties),
		drm.NewIoctl(uapi.IoctlModeSetProperty, master, m.connectorSetProperty),
		drm.NewIoctl(uapi.IoctlModeObjSetProperty, master, m.objSetProperty),
		drm.NewIoctl(uapi.IoctlModeGetPropBlob, 0, m.getPropBlob),
		drm.NewIoctl(uapi.IoctlModeCreatePropBlob, 0, m.createPropBlob),
		drm.NewIoctl(uapi.IoctlModeDestroyPropBlob, 0, m.destroyPropBlob),

		drm.NewIoctl(uapi.IoctlModeAddFB, 0, m.addFB),
		drm.NewIoctl(uapi.IoctlModeAddFB2, 0, m.addFB2),
		drm.NewIoctl(uapi.IoctlModeRmFB, 0, m.rmFB),
		drm.NewIoctl(uapi.IoctlModeCloseFB, 0, m.closeFB),
		drm.NewIoctl(uapi.IoctlModeGetFB, 0, m.getFB),
		drm.NewIoctl(uapi.IoctlModeGetFB2, 0, m.getFB2),
		drm.NewIoctl(uapi.IoctlModeDirtyFB, master, m.dirtyFB),

		drm.NewIoctl(uapi.IoctlWaitVblank, 0, m.waitVblank),
		drm.NewIoctl(uapi.IoctlCRTCGetSequence, 0, m.crtcGetSequence),
		drm.NewIoctl(uapi.IoctlCRTCQueueSequence, 0, m.crtcQueueSequence),
	}
}

// nothing accepts requests that have lost their meaning.
func nothing[T any](*drm.RegisteredDevice, *drm.Request, *T) error { return nil }
