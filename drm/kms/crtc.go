package kms

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/uapi"
)

// A CRTC combines planes into a picture for a connector: struct drm_crtc.
type CRTC struct {
	objectBase
	index   int
	config  CRTCConfig
	display *ModeConfig
	vblank  vblank
	legacy  legacyCRTC
	fences  *fence.Context // of its commits, or nil; guarded by ModeConfig.mu

	lastGrade atomic.Pointer[grade] // see CRTC.grade

	// badCRCSource says that the last write to crc/control named an unknown
	// source. Then crc/data cannot be opened.
	badCRCSource atomic.Bool
	crcSource    string // the chosen one; guarded by vblank.mu

	properties propertyList

	// Standard properties that the driver has created, else nil.
	scalingFilter, background *Property

	initial CRTCState // without the driver's properties
}

// A CRTCConfig describes a CRTC. It must not be changed once it is used.
type CRTCConfig struct {
	Primary *Plane // for the legacy requests that show framebuffers
	Cursor  *Plane // for the legacy cursor requests, or nil
	// HardwareCursor says that the legacy cursor requests work without a plane
	// that clients see, as with drivers that are not atomic. Cursor is nil then.
	HardwareCursor bool
	GammaSize      int // entries of the gamma table; 0 without one

	// GammaLUTSize is GAMMA_LUT_SIZE if it differs from GammaSize, which the
	// legacy requests use.
	GammaLUTSize int
	DegammaSize  int  // entries of DEGAMMA_LUT; 0 without one
	CTM          bool // the CRTC has a colour matrix

	// VblankSource says that the driver has vblanks of its own, and reports
	// each with [CRTC.HandleVblank]. EnableVblank is then called when the CRTC
	// is switched on, and DisableVblank when it is switched off. Without it,
	// vblanks follow from the mode and [Config.Clock].
	VblankSource bool

	// CRCSources are the names of the places where checksums of the picture are
	// taken, for the debugfs file crtc-N/crc/control. nil stands for "auto",
	// which is chosen at first if it is among them, else the first name.
	CRCSources []string
}

// A legacyCRTC has what legacy requests read back but the state lacks. It is
// guarded by ModeConfig.mu.
type legacyCRTC struct {
	cursorX, cursorY int32
	gamma            [3][]uint16 // red, green, blue
}

// AddCRTC adds a CRTC.
func (m *ModeConfig) AddCRTC(config CRTCConfig) *CRTC {
	m.checkAdd("CRTCs", len(m.crtcs))
	c := &CRTC{index: len(m.crtcs), config: config, display: m, initial: CRTCState{BackgroundColor: backgroundBlack}}
	if config.HardwareCursor {
		c.config.Cursor = m.newPlane(PlaneConfig{
			Type: uapi.PlaneTypeCursor, PossibleCRTCs: 1 << c.index, Formats: []uint32{uapi.FormatARGB8888},
		})
	}
	m.objects.add(&c.objectBase, c)
	s := &m.standard
	for _, property := range []*Property{s.active, s.modeID, s.outFencePtr, s.vrrEnabled} {
		c.properties.attach(property, 0)
	}
	if config.DegammaSize > 0 {
		c.properties.attach(s.degammaLUT, 0)
		c.properties.attach(s.degammaLUTSize, uint64(config.DegammaSize))
	}
	if config.CTM {
		c.properties.attach(s.ctm, 0)
	}
	if size := cmp.Or(config.GammaLUTSize, config.GammaSize); size > 0 {
		c.properties.attach(s.gammaLUT, 0)
		c.properties.attach(s.gammaLUTSize, uint64(size))
	}
	if config.GammaSize > 0 {
		for i := range c.legacy.gamma {
			c.legacy.gamma[i] = identityGamma(config.GammaSize)
		}
	}
	if c.config.CRCSources == nil {
		c.config.CRCSources = []string{autoCRC}
	}
	c.crcSource = c.config.CRCSources[0]
	if slices.Contains(c.config.CRCSources, autoCRC) {
		c.crcSource = autoCRC
	}
	c.vblank.init(m, c)
	m.crtcs = append(m.crtcs, c)
	return c
}

func identityGamma(size int) []uint16 {
	lut := make([]uint16, size)
	for i := range lut {
		lut[i] = uint16(i << 8)
	}
	return lut
}

func (*CRTC) objectType() uint32 { return uapi.ModeObjectCRTC }

func (c *CRTC) props() *propertyList             { return &c.properties }
func (c *CRTC) values(s *State) *[]propertyValue { return &s.crtcs[c.index].properties }
func (c *CRTC) touch(a *AtomicState)             { a.crtc(c) }

// Index returns the position of the CRTC among the CRTCs of its device.
func (c *CRTC) Index() int { return c.index }

func (m *ModeConfig) findCRTC(f *drm.File, id uint32) (*CRTC, error) {
	if c, ok := findFor[*CRTC](m, f, id, uapi.ModeObjectCRTC); ok {
		return c, nil
	}
	return nil, notFound("CRTC", id)
}
