package drm

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// coreIoctls are the requests that every device answers (drm_ioctl.c,
// drm_auth.c, drm_lease.c). Parts add those of modesetting, buffers and fences.
var coreIoctls = []Ioctl{
	NewCoreIoctl(uapi.IoctlVersion, version),
	NewCoreIoctl(uapi.IoctlGetUnique, getUnique),
	NewCoreIoctl(uapi.IoctlGetMagic, getMagic),
	NewCoreIoctl(uapi.IoctlGetClient, getClient),
	NewCoreIoctl(uapi.IoctlGetStats, getStats),
	NewCoreIoctl(uapi.IoctlGetCap, getCap),
	NewCoreIoctl(uapi.IoctlSetClientCap, setClientCap),
	NewCoreIoctl(uapi.IoctlSetVersion, setVersion),
	NewCoreIoctl(uapi.IoctlSetUnique, invalidOp[uapi.Unique]),
	NewCoreIoctl(uapi.IoctlBlock, noop[int32]),
	NewCoreIoctl(uapi.IoctlUnblock, noop[int32]),
	NewCoreIoctl(uapi.IoctlAuthMagic, authMagic),
	NewCoreIoctl(uapi.IoctlSetMaster, setMaster),
	NewCoreIoctl(uapi.IoctlDropMaster, dropMaster),
	NewCoreIoctl(uapi.IoctlModeCreateLease, createLease),
	NewCoreIoctl(uapi.IoctlModeListLessees, listLessees),
	NewCoreIoctl(uapi.IoctlModeGetLease, getLease),
	NewCoreIoctl(uapi.IoctlModeRevokeLease, revokeLease),
	NewCoreIoctl(uapi.IoctlFinish, noop[[8]byte]),
	NewCoreIoctl(uapi.IoctlSetClientName, setClientName),
}

func version(dev *RegisteredDevice, req *Request, arg *uapi.Version) error {
	info := &dev.driver.Info
	arg.VersionMajor = int32(info.Major)
	arg.VersionMinor = int32(info.Minor)
	arg.VersionPatchlevel = int32(info.Patchlevel)
	if err := copyField(req, arg.Name, &arg.NameLen, info.Name); err != nil {
		return err
	}
	if err := copyField(req, arg.Date, &arg.DateLen, info.Date); err != nil {
		return err
	}
	return copyField(req, arg.Desc, &arg.DescLen, info.Desc)
}

// copyField writes as much of value as the client has room for, and sets room
// to its length.
func copyField(req *Request, addr uint64, room *uint64, value string) error {
	n := min(*room, uint64(len(value)))
	*room = uint64(len(value))
	if n == 0 || addr == 0 {
		return nil
	}
	return req.CopyToUser(addr, []byte(value[:n]))
}

// getUnique returns the bus id, which a master has only after SET_VERSION.
func getUnique(dev *RegisteredDevice, req *Request, arg *uapi.Unique) error {
	dev.masterMu.Lock()
	var unique string
	if master := req.File.master.Load(); master != nil {
		unique = master.unique
	}
	dev.masterMu.Unlock()
	if arg.UniqueLen >= uint64(len(unique)) && unique != "" {
		if err := req.CopyToUser(arg.Unique, []byte(unique)); err != nil {
			return err
		}
	}
	arg.UniqueLen = uint64(len(unique))
	return nil
}

// overflowUID is the user id that GET_CLIENT returns for every client.
const overflowUID = 65534

// getClient returns whether the caller is authenticated. The kernel answers
// nothing else any more.
func getClient(dev *RegisteredDevice, req *Request, arg *uapi.Client) error {
	if arg.Idx != 0 {
		return fmt.Errorf("drm: GET_CLIENT: index %d: only 0, the caller itself, is allowed: %w", arg.Idx, unix.EINVAL)
	}
	arg.Auth = 0
	if req.File.authenticated.Load() {
		arg.Auth = 1
	}
	arg.PID = uint64(req.Client().PID)
	arg.UID = overflowUID
	arg.Magic, arg.Iocs = 0, 0
	return nil
}

func getStats(dev *RegisteredDevice, req *Request, arg *uapi.Stats) error {
	*arg = uapi.Stats{}
	return nil
}

func getCap(dev *RegisteredDevice, req *Request, arg *uapi.GetCap) error {
	capability := arg.Capability
	arg.Value = 0
	switch capability {
	case uapi.CapTimestampMonotonic:
		arg.Value = 1
		return nil
	case uapi.CapSyncobj:
		arg.Value = boolValue(dev.Has(FeatureSyncobj))
		return nil
	case uapi.CapSyncobjTimeline:
		arg.Value = boolValue(dev.Has(FeatureSyncobjTimeline))
		return nil
	case uapi.CapAtomicAsyncPageFlip:
		if dev.Has(FeatureModeset) && !dev.Has(FeatureAtomic) {
			return nil
		}
	}
	if capability != uapi.CapPrime && !dev.Has(FeatureModeset) {
		return fmt.Errorf("drm: GET_CAP %d: %s drives no displays: %w", capability, dev.Name(), unix.EOPNOTSUPP)
	}
	for _, p := range dev.parts {
		if p, ok := p.(CapPart); ok {
			if value, ok := p.Cap(capability); ok {
				arg.Value = value
				return nil
			}
		}
	}
	if capability == uapi.CapPrime {
		return nil // no part has buffers to share
	}
	return fmt.Errorf("drm: GET_CAP %d: unknown capability: %w", capability, unix.EINVAL)
}

func boolValue(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func setClientCap(dev *RegisteredDevice, req *Request, arg *uapi.SetClientCap) error {
	refuse := func(why string, errno unix.Errno) error {
		return fmt.Errorf("drm: SET_CLIENT_CAP %d to %d: %s: %w", arg.Capability, arg.Value, why, errno)
	}
	if !dev.Has(FeatureModeset) {
		return refuse("the device drives no displays", unix.EOPNOTSUPP)
	}
	caps := &req.File.caps
	caps.mu.Lock()
	defer caps.mu.Unlock()
	// limit is the largest value of the capability.
	limit := uint64(1)
	needsAtomic := false
	var field *bool
	switch arg.Capability {
	case uapi.ClientCapStereo3D:
		field = &caps.Stereo3D
	case uapi.ClientCapUniversalPlanes:
		field = &caps.UniversalPlanes
	case uapi.ClientCapAtomic:
		if !dev.Has(FeatureAtomic) {
			return refuse("the driver has no atomic modesetting", unix.EOPNOTSUPP)
		}
		// Xorg's modesetting driver sets 1 and is broken; fixed servers set 2.
		// The kernel refuses the former too.
		if comm := req.Client().Comm; arg.Value == 1 && comm != "" && comm[0] == 'X' {
			return refuse("atomic modesetting of old X servers is broken", unix.EOPNOTSUPP)
		}
		field, limit = &caps.Atomic, 2
	case uapi.ClientCapAspectRatio:
		field = &caps.AspectRatio
	case uapi.ClientCapWritebackConnectors:
		field, needsAtomic = &caps.WritebackConnectors, true
	case uapi.ClientCapCursorPlaneHotspot:
		if !dev.Has(FeatureCursorHotspot) {
			return refuse("cursor planes have no hotspot", unix.EOPNOTSUPP)
		}
		field, needsAtomic = &caps.CursorPlaneHotspot, true
	case uapi.ClientCapPlaneColorPipeline:
		if !dev.Has(FeatureColorPipeline) && dev.Driver().Kernel != Linux72 {
			return refuse("unknown capability", unix.EINVAL)
		}
		field, needsAtomic = &caps.PlaneColorPipeline, true
	default:
		return refuse("unknown capability", unix.EINVAL)
	}
	if needsAtomic && !caps.Atomic {
		return refuse("it needs DRM_CLIENT_CAP_ATOMIC first", unix.EINVAL)
	}
	if arg.Value > limit {
		return refuse(fmt.Sprintf("the largest value is %d", limit), unix.EINVAL)
	}
	if field == &caps.PlaneColorPipeline && !dev.Has(FeatureColorPipeline) {
		return refuse("no plane has a colour pipeline", unix.EOPNOTSUPP)
	}
	*field = arg.Value != 0
	if arg.Capability == uapi.ClientCapAtomic {
		caps.UniversalPlanes, caps.AspectRatio = *field, *field
	}
	return nil
}

// The version of the DRM interface itself, as SET_VERSION knows it.
const (
	interfaceMajor = 1
	interfaceMinor = 4
)

func setVersion(dev *RegisteredDevice, req *Request, arg *uapi.SetVersion) error {
	asked := *arg
	*arg = uapi.SetVersion{
		DiMajor: interfaceMajor, DiMinor: interfaceMinor,
		DdMajor: int32(dev.driver.Info.Major), DdMinor: int32(dev.driver.Info.Minor),
	}
	fits := func(major, minor, ourMajor, ourMinor int32) bool {
		return major == -1 || major == ourMajor && minor >= 0 && minor <= ourMinor
	}
	if !fits(asked.DiMajor, asked.DiMinor, arg.DiMajor, arg.DiMinor) {
		return fmt.Errorf("drm: SET_VERSION: interface version %d.%d, have %d.%d: %w", asked.DiMajor, asked.DiMinor, arg.DiMajor, arg.DiMinor, unix.EINVAL)
	}
	if asked.DiMajor != -1 && asked.DiMinor >= 1 {
		dev.masterMu.Lock()
		req.File.master.Load().unique = dev.busID()
		dev.masterMu.Unlock()
	}
	if !fits(asked.DdMajor, asked.DdMinor, arg.DdMajor, arg.DdMinor) {
		return fmt.Errorf("drm: SET_VERSION: driver version %d.%d, have %d.%d: %w", asked.DdMajor, asked.DdMinor, arg.DdMajor, arg.DdMinor, unix.EINVAL)
	}
	return nil
}

// invalidOp refuses legacy (pre-KMS) requests.
func invalidOp[T any](*RegisteredDevice, *Request, *T) error {
	return fmt.Errorf("drm: legacy (pre-KMS) request: %w", unix.EINVAL)
}

// noop accepts legacy requests that no longer have an effect.
func noop[T any](*RegisteredDevice, *Request, *T) error { return nil }
