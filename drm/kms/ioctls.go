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
		drm.NewCoreIoctl(uapi.IoctlModeSetGamma, m.setGamma),
		drm.NewCoreIoctl(uapi.IoctlModeAttachMode, nothing[uapi.ModeModeCmd]),
		drm.NewCoreIoctl(uapi.IoctlModeDetachMode, nothing[uapi.ModeModeCmd]),
		drm.NewCoreIoctl(uapi.IoctlModeAtomic, m.atomic),

		drm.NewCoreIoctl(uapi.IoctlModeGetProperty, m.getProperty),
		drm.NewCoreIoctl(uapi.IoctlModeObjGetProperties, m.objGetProperties),
		drm.NewCoreIoctl(uapi.IoctlModeSetProperty, m.connectorSetProperty),
		drm.NewCoreIoctl(uapi.IoctlModeObjSetProperty, m.objSetProperty),
		drm.NewCoreIoctl(uapi.IoctlModeGetPropBlob, m.getPropBlob),
		drm.NewCoreIoctl(uapi.IoctlModeCreatePropBlob, m.createPropBlob),
		drm.NewCoreIoctl(uapi.IoctlModeDestroyPropBlob, m.destroyPropBlob),

		drm.NewCoreIoctl(uapi.IoctlModeAddFB, m.addFB),
		drm.NewCoreIoctl(uapi.IoctlModeAddFB2, m.addFB2),
		drm.NewCoreIoctl(uapi.IoctlModeRmFB, m.rmFB),
		drm.NewCoreIoctl(uapi.IoctlModeCloseFB, m.closeFB),
		drm.NewCoreIoctl(uapi.IoctlModeGetFB, m.getFB),
		drm.NewCoreIoctl(uapi.IoctlModeGetFB2, m.getFB2),
		drm.NewCoreIoctl(uapi.IoctlModeDirtyFB, m.dirtyFB),

		drm.NewCoreIoctl(uapi.IoctlWaitVblank, m.waitVblank),
		drm.NewCoreIoctl(uapi.IoctlCRTCGetSequence, m.crtcGetSequence),
		drm.NewCoreIoctl(uapi.IoctlCRTCQueueSequence, m.crtcQueueSequence),
	}
}

// nothing accepts requests that have lost their meaning.
func nothing[T any](*drm.RegisteredDevice, *drm.Request, *T) error { return nil }
