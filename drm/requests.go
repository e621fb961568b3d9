package drm

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// A request is what the kernel's core knows of a request on every device.
type request struct {
	flags  IoctlFlags
	absent unix.Errno // what it fails with if the device lacks the feature
}

const (
	legacy     = IoctlAuth | IoctlMaster | IoctlRootOnly // pre-KMS requests
	noFeature  = unix.EOPNOTSUPP
	noDumb     = unix.ENOSYS
	succeeding = unix.Errno(0) // it has no effect in any case
)

// requests has the permissions of all requests below and above the numbers of
// drivers: the DRM_IOCTL_DEF lines of drm_ioctl.c.
var requests = map[uint32]request{
	uapi.IoctlVersion:       {flags: IoctlRenderAllow},
	uapi.IoctlGetUnique:     {},
	uapi.IoctlGetMagic:      {},
	uapi.IoctlGetClient:     {},
	uapi.IoctlGetStats:      {},
	uapi.IoctlGetCap:        {flags: IoctlRenderAllow},
	uapi.IoctlSetClientCap:  {},
	uapi.IoctlSetVersion:    {flags: IoctlMaster},
	uapi.IoctlSetUnique:     {flags: legacy},
	uapi.IoctlBlock:         {flags: legacy},
	uapi.IoctlUnblock:       {flags: legacy},
	uapi.IoctlAuthMagic:     {flags: IoctlMaster},
	uapi.IoctlSetMaster:     {},
	uapi.IoctlDropMaster:    {},
	uapi.IoctlFinish:        {flags: IoctlAuth},
	uapi.IoctlSetClientName: {flags: IoctlRenderAllow},

	uapi.IoctlModeCreateLease: {flags: IoctlMaster},
	uapi.IoctlModeListLessees: {flags: IoctlMaster},
	uapi.IoctlModeGetLease:    {flags: IoctlMaster},
	uapi.IoctlModeRevokeLease: {flags: IoctlMaster},

	uapi.IoctlGEMClose:        {IoctlRenderAllow, noFeature},
	uapi.IoctlGEMChangeHandle: {IoctlRenderAllow, noFeature},
	uapi.IoctlGEMFlink:        {IoctlAuth, noFeature},
	uapi.IoctlGEMOpen:         {IoctlAuth, noFeature},
	uapi.IoctlPrimeHandleToFD: {IoctlRenderAllow, noFeature},
	uapi.IoctlPrimeFDToHandle: {IoctlRenderAllow, noFeature},
	uapi.IoctlModeCreateDumb:  {0, noDumb},
	uapi.IoctlModeMapDumb:     {0, noDumb},
	uapi.IoctlModeDestroyDumb: {0, noDumb},

	uapi.IoctlModeGetResources:      {0, noFeature},
	uapi.IoctlModeGetConnector:      {0, noFeature},
	uapi.IoctlModeGetEncoder:        {0, noFeature},
	uapi.IoctlModeGetCRTC:           {0, noFeature},
	uapi.IoctlModeGetPlaneResources: {0, noFeature},
	uapi.IoctlModeGetPlane:          {0, noFeature},
	uapi.IoctlModeGetGamma:          {0, noFeature},
	uapi.IoctlModeGetProperty:       {0, noFeature},
	uapi.IoctlModeObjGetProperties:  {0, noFeature},
	uapi.IoctlModeGetPropBlob:       {0, noFeature},
	uapi.IoctlModeCreatePropBlob:    {0, noFeature},
	uapi.IoctlModeDestroyPropBlob:   {0, noFeature},
	uapi.IoctlModeAddFB:             {0, noFeature},
	uapi.IoctlModeAddFB2:            {0, noFeature},
	uapi.IoctlModeRmFB:              {0, noFeature},
	uapi.IoctlModeCloseFB:           {0, noFeature},
	uapi.IoctlModeGetFB:             {0, noFeature},
	uapi.IoctlModeGetFB2:            {0, unix.EINVAL}, // unlike all others
	uapi.IoctlWaitVblank:            {0, noFeature},
	uapi.IoctlCRTCGetSequence:       {0, noFeature},
	uapi.IoctlCRTCQueueSequence:     {0, noFeature},
	uapi.IoctlModeSetCRTC:           {IoctlMaster, noFeature},
	uapi.IoctlModeSetPlane:          {IoctlMaster, noFeature},
	uapi.IoctlModePageFlip:          {IoctlMaster, noFeature},
	uapi.IoctlModeCursor:            {IoctlMaster, noFeature},
	uapi.IoctlModeCursor2:           {IoctlMaster, noFeature},
	uapi.IoctlModeSetGamma:          {IoctlMaster, noFeature},
	uapi.IoctlModeAtomic:            {IoctlMaster, noFeature},
	uapi.IoctlModeSetProperty:       {IoctlMaster, noFeature},
	uapi.IoctlModeObjSetProperty:    {IoctlMaster, noFeature},
	uapi.IoctlModeDirtyFB:           {IoctlMaster, noFeature},
	uapi.IoctlModeAttachMode:        {IoctlMaster, succeeding},
	uapi.IoctlModeDetachMode:        {IoctlMaster, succeeding},

	uapi.IoctlSyncobjCreate:         {IoctlRenderAllow, noFeature},
	uapi.IoctlSyncobjDestroy:        {IoctlRenderAllow, noFeature},
	uapi.IoctlSyncobjHandleToFD:     {IoctlRenderAllow, noFeature},
	uapi.IoctlSyncobjFDToHandle:     {IoctlRenderAllow, noFeature},
	uapi.IoctlSyncobjTransfer:       {IoctlRenderAllow, noFeature},
	uapi.IoctlSyncobjWait:           {IoctlRenderAllow, noFeature},
	uapi.IoctlSyncobjTimelineWait:   {IoctlRenderAllow, noFeature},
	uapi.IoctlSyncobjEventfd:        {IoctlRenderAllow, noFeature},
	uapi.IoctlSyncobjReset:          {IoctlRenderAllow, noFeature},
	uapi.IoctlSyncobjSignal:         {IoctlRenderAllow, noFeature},
	uapi.IoctlSyncobjTimelineSignal: {IoctlRenderAllow, noFeature},
	uapi.IoctlSyncobjQuery:          {IoctlRenderAllow, noFeature},
}

// absentIoctls stand in for the parts that a device lacks. The kernel checks
// the requests of modesetting, buffers and sync objects on every device like
// any others, and only the handler finds that the driver lacks the feature.
var absentIoctls = func() *ioctlTable {
	t := new(ioctlTable)
	for cmd, r := range requests {
		name := ioctlName(cmd)
		t[uapi.IOCNr(cmd)] = &Ioctl{cmd: cmd, name: name, flags: r.flags, handler: func(dev *RegisteredDevice, _ *Request, _ []uint64) error {
			if r.absent == succeeding {
				return nil
			}
			return fmt.Errorf("drm: %s: %s lacks the feature: %w", name, dev.Name(), r.absent)
		}}
	}
	return t
}()
