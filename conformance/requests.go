package conformance

import "github.com/udrm/udrm/drm/uapi"

// A rule tells which clients may send a request (enum drm_ioctl_flags).
type rule uint8

const (
	forAuth   rule = 1 << iota // authenticated clients, and render nodes
	forMaster                  // the master
	forRoot                    // CAP_SYS_ADMIN
	forRender                  // allowed on render nodes too
)

// A request is a request that the uAPI defines for all drivers.
type request struct {
	cmd   uint32
	rules rule
}

// requests are the requests of drm.h and drm_mode.h, without the legacy ones
// from before kernel modesetting.
var requests = []request{
	{uapi.IoctlVersion, forRender},
	{uapi.IoctlGetUnique, 0},
	{uapi.IoctlGetMagic, 0},
	{uapi.IoctlGetClient, 0},
	{uapi.IoctlGetStats, 0},
	{uapi.IoctlGetCap, forRender},
	{uapi.IoctlSetClientCap, 0},
	{uapi.IoctlSetVersion, forMaster},
	{uapi.IoctlSetUnique, forAuth | forMaster | forRoot},
	{uapi.IoctlBlock, forAuth | forMaster | forRoot},
	{uapi.IoctlUnblock, forAuth | forMaster | forRoot},
	{uapi.IoctlAuthMagic, forMaster},
	{uapi.IoctlSetMaster, 0},
	{uapi.IoctlDropMaster, 0},
	{uapi.IoctlFinish, forAuth},
	{uapi.IoctlSetClientName, forRender},

	{uapi.IoctlGEMClose, forRender},
	{uapi.IoctlGEMChangeHandle, forRender},
	{uapi.IoctlGEMFlink, forAuth},
	{uapi.IoctlGEMOpen, forAuth},
	{uapi.IoctlPrimeHandleToFD, forRender},
	{uapi.IoctlPrimeFDToHandle, forRender},
	{uapi.IoctlModeCreateDumb, 0},
	{uapi.IoctlModeMapDumb, 0},
	{uapi.IoctlModeDestroyDumb, 0},

	{uapi.IoctlSyncobjCreate, forRender},
	{uapi.IoctlSyncobjDestroy, forRender},
	{uapi.IoctlSyncobjHandleToFD, forRender},
	{uapi.IoctlSyncobjFDToHandle, forRender},
	{uapi.IoctlSyncobjTransfer, forRender},
	{uapi.IoctlSyncobjWait, forRender},
	{uapi.IoctlSyncobjTimelineWait, forRender},
	{uapi.IoctlSyncobjEventfd, forRender},
	{uapi.IoctlSyncobjReset, forRender},
	{uapi.IoctlSyncobjSignal, forRender},
	{uapi.IoctlSyncobjTimelineSignal, forRender},
	{uapi.IoctlSyncobjQuery, forRender},

	{uapi.IoctlWaitVblank, 0},
	{uapi.IoctlCRTCGetSequence, 0},
	{uapi.IoctlCRTCQueueSequence, 0},

	{uapi.IoctlModeGetResources, 0},
	{uapi.IoctlModeGetConnector, 0},
	{uapi.IoctlModeGetEncoder, 0},
	{uapi.IoctlModeGetCRTC, 0},
	{uapi.IoctlModeGetPlaneResources, 0},
	{uapi.IoctlModeGetPlane, 0},
	{uapi.IoctlModeSetCRTC, forMaster},
	{uapi.IoctlModeSetPlane, forMaster},
	{uapi.IoctlModePageFlip, forMaster},
	{uapi.IoctlModeCursor, forMaster},
	{uapi.IoctlModeCursor2, forMaster},
	{uapi.IoctlModeGetGamma, 0},
	{uapi.IoctlModeSetGamma, forMaster},
	{uapi.IoctlModeAttachMode, forMaster},
	{uapi.IoctlModeDetachMode, forMaster},
	{uapi.IoctlModeAtomic, forMaster},
	{uapi.IoctlModeGetProperty, 0},
	{uapi.IoctlModeObjGetProperties, 0},
	{uapi.IoctlModeSetProperty, forMaster},
	{uapi.IoctlModeObjSetProperty, forMaster},
	{uapi.IoctlModeGetPropBlob, 0},
	{uapi.IoctlModeCreatePropBlob, 0},
	{uapi.IoctlModeDestroyPropBlob, 0},
	{uapi.IoctlModeAddFB, 0},
	{uapi.IoctlModeAddFB2, 0},
	{uapi.IoctlModeRmFB, 0},
	{uapi.IoctlModeCloseFB, 0},
	{uapi.IoctlModeGetFB, 0},
	{uapi.IoctlModeGetFB2, 0},
	{uapi.IoctlModeDirtyFB, forMaster},

	{uapi.IoctlModeCreateLease, forMaster},
	{uapi.IoctlModeListLessees, forMaster},
	{uapi.IoctlModeGetLease, forMaster},
	{uapi.IoctlModeRevokeLease, forMaster},
}
