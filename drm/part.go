package drm

// A Part is a piece of the uAPI that a package above adds to a device:
// modesetting (drm/kms), buffers (drm/gem), sync objects (drm/syncobj). A
// driver attaches its parts in the order in which a file must release their
// states: framebuffers before buffers.
//
// Optional methods: [FilePart], [LastClosePart], [RegisterPart], [UnplugPart], [CapPart],
// [DebugfsPart], [LeasePart], [MmapPart], [UsePart].
type Part interface {
	// Ioctls returns the requests that the part answers.
	Ioctls() []Ioctl
}

// A FilePart is a [Part] with a state of its own for each open file.
type FilePart interface {
	// Open returns the part's state for a newly opened file; see [FileState].
	// An error refuses the open.
	Open(dev *RegisteredDevice, f *File) (state any, err error)

	// Release gives up what the file owned. dev is nil when the device is
	// unplugged: then only software objects are left to release.
	Release(dev *RegisteredDevice, f *File)
}

// A LastClosePart is a [Part] with something to do when no file is left.
type LastClosePart interface {
	// LastClose is called when the last open file of the device was closed and
	// everything that it owned is gone. A new file may be open meanwhile. It is
	// not called on an unplugged device.
	LastClose(dev *RegisteredDevice)
}

// A RegisterPart is a [Part] with objects that it announces, such as
// connectors.
type RegisterPart interface {
	// Register announces the objects, once the device is live. An error fails
	// the registration. What Register adds to the parent's devres is released
	// before the unplug.
	Register(dev *RegisteredDevice) error

	// Unregister takes back what Register announced, after the last guard is
	// closed. It is called even if Register failed or was not reached.
	Unregister(dev *Device)
}

// An UnplugPart is a [Part] on which clients wait.
type UnplugPart interface {
	// Unplug leaves no client waiting: it signals fences with ENODEV and
	// completes page flips and vblank waits. Guards may still be open. What a
	// request in flight arms after Unplug must complete at once. Unplug is
	// called even if the registration failed half-way.
	Unplug(dev *Device)
}

// A CapPart is a [Part] that answers DRM_IOCTL_GET_CAP for capabilities of its
// own. ok is false for other capabilities.
type CapPart interface {
	Cap(capability uint64) (value uint64, ok bool)
}

// A LeasePart is a [Part] with objects that clients find by id and that may be
// leased.
type LeasePart interface {
	// ObjectIDs returns the ids of all objects, in ascending order.
	ObjectIDs() []uint32

	// LeaseObjects returns the objects of a lease of the given ones, in any
	// order: these, and those that they need and the client of f does not know.
	// It fails with ENOENT for an id that f does not find, with EINVAL for an
	// object that cannot be leased and for objects that make no display, and
	// with ENOSPC for an object that is named twice. ids is not empty.
	LeaseObjects(f *File, ids []uint32) ([]uint32, error)
}

// An MmapPart is a [Part] that has memory to map.
type MmapPart interface {
	// Mmap resolves a fake offset, in [FakeOffsetMin, FakeOffsetMax), to
	// memory. ok is false if the part does not know the offset. Mmap fails with
	// EACCES if the file may not map it.
	Mmap(dev *RegisteredDevice, f *File, offset, length uint64) (m Mapping, ok bool, err error)
}

// A UsePart is a [Part] with objects that outlive files; see [Device.InUse].
type UsePart interface {
	InUse() bool
}

// Fake offsets name buffers in mmap(2). Hosts rely on the range to tell
// mappings of a DRM device from all others, also in the page-shifted offsets of
// 32-bit programs.
const (
	FakeOffsetMin = 1 << 40
	FakeOffsetMax = 1 << 44
)

// A Mapping is memory for mmap(2): a file descriptor, and the offset of the
// first byte in it. The descriptor stays its owner's. Release must be called
// once the descriptor has been mapped or passed on; until then it stays open.
//
// Invariant: pages that are mapped from it stay valid for ever, also after an
// unplug. Why it holds: the descriptor is a memfd that is sealed against
// shrinking, and a mapping keeps its pages.
type Mapping struct {
	FD      int
	Offset  int64
	Release func()
}
