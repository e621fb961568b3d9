package drm

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// The kernel's core knows the requests of modesetting, buffers and sync
// objects on every device: it checks them like any others, and the handler
// finds that the driver has no such thing. absentIoctls stand in for the parts
// that a device lacks.
var absentIoctls = func() *ioctlTable {
	t := new(ioctlTable)
	add := func(flags IoctlFlags, errno unix.Errno, cmds ...uint32) {
		for _, cmd := range cmds {
			name := ioctlName(cmd)
			t[uapi.IOCNr(cmd)] = &Ioctl{cmd: cmd, name: name, flags: flags, handler: func(dev *RegisteredDevice, _ *Request, _ []uint64) error {
				if errno == 0 {
					return nil
				}
				return fmt.Errorf("drm: %s: %s has no such feature: %w", name, dev.Name(), errno)
			}}
		}
	}
	add(0, unix.EOPNOTSUPP,
		uapi.IoctlModeGetResources, uapi.IoctlModeGetConnector, uapi.IoctlModeGetEncoder, uapi.IoctlModeGetCRTC,
		uapi.IoctlModeGetPlaneResources, uapi.IoctlModeGetPlane, uapi.IoctlModeGetGamma,
		uapi.IoctlModeGetProperty, uapi.IoctlModeObjGetProperties, uapi.IoctlModeGetPropBlob,
		uapi.IoctlModeCreatePropBlob, uapi.IoctlModeDestroyPropBlob,
		uapi.IoctlModeAddFB, uapi.IoctlModeAddFB2, uapi.IoctlModeRmFB, uapi.IoctlModeCloseFB,
		uapi.IoctlModeGetFB, uapi.IoctlModeGetFB2,
		uapi.IoctlWaitVblank, uapi.IoctlCRTCGetSequence, uapi.IoctlCRTCQueueSequence)
	add(IoctlMaster, unix.EOPNOTSUPP,
		uapi.IoctlModeSetCRTC, uapi.IoctlModeSetPlane, uapi.IoctlModePageFlip, uapi.IoctlModeCursor, uapi.IoctlModeCursor2,
		uapi.IoctlModeSetGamma, uapi.IoctlModeAtomic, uapi.IoctlModeSetProperty, uapi.IoctlModeObjSetProperty, uapi.IoctlModeDirtyFB)
	add(IoctlMaster, 0, uapi.IoctlModeAttachMode, uapi.IoctlModeDetachMode)
	add(IoctlRenderAllow, unix.EOPNOTSUPP,
		uapi.IoctlGEMClose, uapi.IoctlPrimeHandleToFD, uapi.IoctlPrimeFDToHandle,
		uapi.IoctlSyncobjCreate, uapi.IoctlSyncobjDestroy, uapi.IoctlSyncobjHandleToFD, uapi.IoctlSyncobjFDToHandle,
		uapi.IoctlSyncobjTransfer, uapi.IoctlSyncobjWait, uapi.IoctlSyncobjTimelineWait, uapi.IoctlSyncobjEventfd,
		uapi.IoctlSyncobjReset, uapi.IoctlSyncobjSignal, uapi.IoctlSyncobjTimelineSignal, uapi.IoctlSyncobjQuery)
	add(IoctlAuth, unix.EOPNOTSUPP, uapi.IoctlGEMFlink, uapi.IoctlGEMOpen)
	add(0, unix.ENOSYS, uapi.IoctlModeCreateDumb, uapi.IoctlModeMapDumb, uapi.IoctlModeDestroyDumb)
	return t
}()
