package kms

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/uapi"
)

// Limits are the capabilities of a device that do not belong to an object.
type Limits struct {
	MinWidth, MaxWidth        uint32 // of a framebuffer
	MinHeight, MaxHeight      uint32
	CursorWidth, CursorHeight uint32 // DRM_CAP_CURSOR_WIDTH, _HEIGHT; 0 stands for 64
	PreferredDepth            uint32 // DRM_CAP_DUMB_PREFERRED_DEPTH
	PreferShadow              bool   // DRM_CAP_DUMB_PREFER_SHADOW
	AsyncPageFlip             bool   // DRM_CAP_ASYNC_PAGE_FLIP, DRM_CAP_ATOMIC_ASYNC_PAGE_FLIP
	PageFlipTarget            bool   // DRM_CAP_PAGE_FLIP_TARGET
	DirtyFB                   bool   // DIRTYFB commits the framebuffer again, instead of ENOSYS
	NoModifiers               bool   // DRM_CAP_ADDFB2_MODIFIERS is 0 (fb_modifiers_not_supported)
}

// A Config describes a ModeConfig. Buffers must be set.
type Config struct {
	Driver  Driver
	Buffers *gem.Manager
	Limits  Limits
	Clock   Clock // nil stands for the real one

	// Kernel is the version of Linux whose object ids and reports in debugfs
	// the device has.
	Kernel drm.Kernel

	// Console has the device lit while no client is master, as the kernel's
	// console does: when it is registered, at a hot-plug, and when the last file
	// is closed. The picture has the preferred mode. It is black until a program
	// draws on it through /dev/fb0, which the device has then.
	Console bool
}

// A ModeConfig is the modesetting of one device: struct drm_mode_config. It is
// a [drm.Part], which the driver attaches before the buffers. The driver makes
// it, adds planes, CRTCs, encoders and connectors, attaches it, and registers
// the device. Then nothing can be added.
type ModeConfig struct {
	config   Config
	objects  objectTable
	standard standardProperties
	named    map[string]*Property // see standardProperty
	hasZpos  bool                 // a plane has the property

	// Constant once the device is registered.
	planes   []*Plane
	crtcs    []*CRTC
	colorops []*Colorop

	// The lists are never changed in place: connectors come and go, see
	// dynamic.go. They are replaced with mu held.
	encoders   atomic.Pointer[[]*Encoder]
	connectors atomic.Pointer[[]*Connector]
	leaving    atomic.Int32 // connectors that are gone but not freed
	topologyMu sync.Mutex   // serialises AddDynamicConnector and RemoveConnector
	streams    []*Encoder   // of dynamic connectors; guarded by mu

	frozen  sync.Once // see freeze
	unnamed sync.Once // see unnameConnectors
	inUse   atomic.Bool

	state atomic.Pointer[State] // replaced with mu held
	shown atomic.Pointer[State] // what the hardware shows if it is not state, or nil; see fences.go
	mu    sync.Mutex            // serialises commits

	console console
	changes changes // of the picture
	tiles   tileGroups

	fileMu       sync.Mutex
	files        int  // open
	unregistered bool // by an unplug
}

// New returns a ModeConfig without objects. It has the standard properties.
func New(config Config) *ModeConfig {
	m := &ModeConfig{config: config}
	if m.config.Clock == nil {
		m.config.Clock = realClock{}
	}
	m.createStandardProperties()
	m.state.Store(m.initialState())
	return m
}

// maxObjects is the largest number of planes, of CRTCs, of encoders and of
// connectors: the uAPI has masks of 32 bits.
const maxObjects = 32

// checkAdd panics when the driver adds an object of the kind, of which there
// are n, too late or too often.
func (m *ModeConfig) checkAdd(kind string, n int) {
	m.checkNotInUse()
	if n >= maxObjects {
		panic(fmt.Sprintf("kms: a device has at most %d %s", maxObjects, kind))
	}
}

// checkNotInUse panics when the driver changes its objects after the first use
// of the device.
func (m *ModeConfig) checkNotInUse() {
	if m.inUse.Load() {
		panic("kms: the objects of a device in use cannot be changed")
	}
}

// freeze fixes the set of objects and probes the connectors. Open and Register
// call it before anything else: clients can open the device before the
// connectors are announced.
func (m *ModeConfig) freeze(class *drm.Class) {
	m.frozen.Do(func() {
		m.nameConnectors(class)
		for _, c := range m.Connectors() {
			if !c.writeback() {
				c.probe()
			}
		}
		m.state.Store(m.initialState()) // the one before had no objects
		m.inUse.Store(true)
	})
}

// State returns the current state.
func (m *ModeConfig) State() *State { return m.state.Load() }

// Planes returns the planes in the order in which they were added.
func (m *ModeConfig) Planes() []*Plane { return m.planes }

// CRTCs returns the CRTCs in the order in which they were added.
func (m *ModeConfig) CRTCs() []*CRTC { return m.crtcs }

// Connectors returns the connectors in the order in which they were added. Those
// that are gone are among them as long as a CRTC feeds them: see
// [Connector.Registered].
func (m *ModeConfig) Connectors() []*Connector {
	if list := m.connectors.Load(); list != nil {
		return *list
	}
	return nil
}

// Colorops returns the operations of colour pipelines in the order in which they
// were added.
func (m *ModeConfig) Colorops() []*Colorop { return m.colorops }

// Objects returns the number of objects that have an id, for leak checks.
func (m *ModeConfig) Objects() int { return m.objects.len() }

// Cap implements [drm.CapPart].
func (m *ModeConfig) Cap(capability uint64) (value uint64, ok bool) {
	limits := &m.config.Limits
	switch capability {
	case uapi.CapVblankHighCRTC, uapi.CapCRTCInVblankEvent:
		return 1, true
	case uapi.CapAddFB2Modifiers:
		return boolValue(!limits.NoModifiers), true
	case uapi.CapAsyncPageFlip, uapi.CapAtomicAsyncPageFlip:
		return boolValue(limits.AsyncPageFlip), true
	case uapi.CapPageFlipTarget:
		return boolValue(limits.PageFlipTarget), true
	case uapi.CapDumbPreferredDepth:
		return uint64(limits.PreferredDepth), true
	case uapi.CapDumbPreferShadow:
		return boolValue(limits.PreferShadow), true
	case uapi.CapCursorWidth:
		return uint64(cmp.Or(limits.CursorWidth, 64)), true
	case uapi.CapCursorHeight:
		return uint64(cmp.Or(limits.CursorHeight, 64)), true
	}
	return 0, false
}

// Open implements [drm.FilePart].
func (m *ModeConfig) Open(dev *drm.RegisteredDevice, _ *drm.File) (any, error) {
	m.freeze(dev.Class())
	m.fileMu.Lock()
	defer m.fileMu.Unlock()
	m.files++
	return &fileState{blobs: make(map[*Blob]struct{})}, nil
}

// Release implements [drm.FilePart]. It releases the framebuffers and blobs of
// the file, and switches off the planes that show a framebuffer of it.
func (m *ModeConfig) Release(dev *drm.RegisteredDevice, f *drm.File) {
	for _, c := range m.crtcs {
		c.vblank.forget(f)
	}
	fbs, blobs := m.file(f).close()
	for _, fb := range fbs {
		if dev == nil {
			m.objects.put(fb)
		} else {
			m.removeFB(dev, fb, commitOptions{unsynced: true})
		}
	}
	for _, b := range blobs {
		m.objects.put(b)
	}
	m.fileMu.Lock()
	m.files--
	m.fileMu.Unlock()
	m.dropState()
}

// LastClose implements [drm.LastClosePart]. It gives the display back to the
// console.
func (m *ModeConfig) LastClose(dev *drm.RegisteredDevice) { m.restoreConsole(dev) }

// Register implements [drm.RegisterPart]. It announces the connectors.
func (m *ModeConfig) Register(dev *drm.RegisteredDevice) error {
	m.freeze(dev.Class())
	for _, c := range m.Connectors() {
		c.register(dev)
	}
	m.restoreConsole(dev)
	return nil
}

// Shutdown switches everything off before the driver is unbound
// (drm_atomic_helper_shutdown). It does not wait for a vblank.
func (m *ModeConfig) Shutdown(dev *drm.RegisteredDevice) error {
	return m.commit(dev, commitOptions{unsynced: true}, func(a *AtomicState) error {
		for _, c := range m.Connectors() {
			a.setConnectorCRTC(c, nil)
		}
		for _, p := range m.planes {
			a.disablePlane(p)
		}
		for _, c := range m.crtcs {
			a.setMode(c, nil, nil)
			a.crtc(c).Active = false
		}
		return nil
	})
}

// Unplug implements [drm.UnplugPart]. Requests that wait for a vblank or a flip
// complete now, and later ones at once.
func (m *ModeConfig) Unplug(*drm.Device) {
	for _, c := range m.crtcs {
		c.vblank.unplug()
	}
}

// Unregister implements [drm.RegisterPart]. It removes /dev/fb0, and the
// connectors from sysfs.
func (m *ModeConfig) Unregister(dev *drm.Device) {
	m.endConsole(dev)
	for _, c := range m.Connectors() {
		c.unregister(dev)
	}
	if m.inUse.Load() {
		m.unnamed.Do(func() { m.unnameConnectors(dev.Class()) })
	}
	m.fileMu.Lock()
	m.unregistered = true
	m.fileMu.Unlock()
	m.dropState()
}

// dropState releases the last state of an unplugged device, once no file is
// open. Until then, Screenshot returns the last picture.
func (m *ModeConfig) dropState() {
	m.fileMu.Lock()
	drop := m.unregistered && m.files == 0
	m.fileMu.Unlock()
	if !drop {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, old := range [...]*State{m.state.Swap(m.initialState()), m.shown.Swap(nil)} {
		if old != nil {
			old.references(func(c counted) bool { m.objects.put(c); return true })
		}
	}
}
