package fence

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A SyncFile is the [drm.ClientFile] of a fence. It becomes readable for
// poll(2) when the fence is signalled. Unlike the kernel's, read(2) on it
// succeeds and makes it unreadable again.
type SyncFile struct {
	fence  *Fence
	name   string // given by a client, or empty
	remove func() // cancels the callback of the fence
}

// An installer gives a client files: a *drm.Request or a drm.Caller.
type installer interface {
	InstallFile(flags int, open func(drm.EventSink) (drm.ClientFile, error)) (int32, error)
}

// Install gives the client a sync file for f and returns its descriptor, which
// is close-on-exec. It fails with EMFILE if the client has no free descriptor.
func Install(client installer, f *Fence) (int32, error) { return install(client, f, "") }

func install(client installer, f *Fence, name string) (int32, error) {
	return client.InstallFile(unix.O_CLOEXEC, func(sink drm.EventSink) (drm.ClientFile, error) {
		s := &SyncFile{fence: f, name: name}
		s.remove = f.AddCallback(func() { _ = sink.Deliver([]byte{1}) })
		return s, nil
	})
}

// A lookuper finds files of a client: a *drm.Request or a drm.Caller.
type lookuper interface {
	LookupFile(fd int32) drm.ClientFile
}

// Lookup returns the fence of a sync file of the client. It fails with EINVAL
// if the descriptor is not a sync file.
func Lookup(client lookuper, fd int32) (*Fence, error) {
	s, ok := client.LookupFile(fd).(*SyncFile)
	if !ok {
		return nil, fmt.Errorf("fence: descriptor %d is not a sync file: %w", fd, unix.EINVAL)
	}
	return s.fence, nil
}

// Close removes the callback of the file from its fence.
func (s *SyncFile) Close() error {
	s.remove()
	return nil
}

// Ioctl serves the requests of linux/sync_file.h.
func (s *SyncFile) Ioctl(_ context.Context, caller drm.Caller, cmd uint32, arg uint64) error {
	switch cmd {
	case uapi.SyncIOCMerge:
		return drm.Exchange(caller, arg, func(data *uapi.SyncMergeData) error { return s.merge(caller, data) })
	case uapi.SyncIOCFileInfo:
		return drm.Exchange(caller, arg, func(info *uapi.SyncFileInfo) error { return s.info(caller, info) })
	case uapi.SyncIOCSetDeadline:
		deadline, err := drm.ReadArray[uapi.SyncSetDeadline](caller, arg, 1)
		if err != nil {
			return err
		}
		if pad := deadline[0].Pad; pad != 0 {
			return invalid("SYNC_IOC_SET_DEADLINE: padding %#x: must be zero", pad)
		}
		// A deadline is a hint that lets a driver raise its clocks. No fence here
		// completes earlier for it, so the hint is ignored, as the kernel ignores
		// it for drivers without set_deadline.
		return nil
	}
	return fmt.Errorf("fence: a sync file has no ioctl %#x: %w", cmd, unix.ENOTTY)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("fence: "+format+": %w", append(args, unix.EINVAL)...)
}

// merge creates a sync file that is signalled when this one and another are.
func (s *SyncFile) merge(caller drm.Caller, data *uapi.SyncMergeData) error {
	if data.Flags != 0 || data.Pad != 0 {
		return invalid("SYNC_IOC_MERGE: flags %#x, padding %#x: both must be zero", data.Flags, data.Pad)
	}
	other, ok := caller.LookupFile(data.FD2).(*SyncFile)
	if !ok {
		return fmt.Errorf("fence: SYNC_IOC_MERGE: descriptor %d is not a sync file: %w", data.FD2, unix.ENOENT)
	}
	data.Name[len(data.Name)-1] = 0
	merged, err := MergeFor(caller.Client().Account, s.fence, other.fence)
	if err != nil {
		return err
	}
	data.Fence, err = install(caller, merged, unix.ByteSliceToString(data.Name[:]))
	return err
}

// info returns the state of the file and, if the client asks for them, of the
// fences that it consists of.
func (s *SyncFile) info(caller drm.Caller, info *uapi.SyncFileInfo) error {
	if info.Flags != 0 || info.Pad != 0 {
		return invalid("SYNC_IOC_FILE_INFO: flags %#x, padding %#x: both must be zero", info.Flags, info.Pad)
	}
	var fences []uapi.SyncFenceInfo
	status := int32(1)
	for leaf := range s.fence.leaves() {
		result, at := leaf.status()
		if status > 0 {
			status = result
		}
		fences = append(fences, uapi.SyncFenceInfo{
			ObjName: name32(leaf.timeline), DriverName: name32(leaf.driver), Status: result, TimestampNs: uint64(at),
		})
	}
	switch room := info.NumFences; {
	case room == 0:
		status, _ = s.fence.status()
	case int64(room) < int64(len(fences)):
		return invalid("SYNC_IOC_FILE_INFO: room for %d fences, the file has %d", room, len(fences))
	default:
		if err := drm.PutArray(caller, info.SyncFenceInfo, fences); err != nil {
			return err
		}
	}
	info.Name = name32(s.Name())
	info.Status = status
	info.NumFences = uint32(len(fences))
	return nil
}

// Name returns the name that a client gave the file, or else the name of its
// fence.
func (s *SyncFile) Name() string {
	if s.name != "" {
		return s.name
	}
	return s.fence.String()
}

// name32 returns name as a zero-terminated field, truncated if necessary.
func name32(name string) (field [32]byte) {
	copy(field[:len(field)-1], name)
	return field
}
