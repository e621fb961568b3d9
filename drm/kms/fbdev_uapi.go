package kms

// Requests, structures and constants of linux/fb.h. The requests have numbers
// from before there was a scheme.
const (
	fbioGetVScreenInfo = 0x4600
	fbioPutVScreenInfo = 0x4601
	fbioGetFScreenInfo = 0x4602
	fbioGetCmap        = 0x4604
	fbioPutCmap        = 0x4605
	fbioPanDisplay     = 0x4606
	fbioCursor         = 0xc0684608
	fbioGetCon2FBMap   = 0x460f
	fbioPutCon2FBMap   = 0x4610
	fbioBlank          = 0x4611
	fbioWaitForVSync   = 0x40044620
)

const (
	fbVisualTruecolor = 2

	fbActivateNow     = 0
	fbActivateMask    = 15
	fbActivateForce   = 128
	fbActivateInvMode = 256

	fbBlankPowerdown = 4
)

// fbBitfield is struct fb_bitfield.
type fbBitfield struct{ Offset, Length, MSBRight uint32 }

// fbVarScreenInfo is struct fb_var_screeninfo.
type fbVarScreenInfo struct {
	XRes, YRes                    uint32
	XVirtual, YVirtual            uint32
	XOffset, YOffset              uint32
	BitsPerPixel, Grayscale       uint32
	Red, Green, Blue, Transparent fbBitfield
	NonStandard, Activate         uint32
	Height, Width                 uint32 // in mm
	AccelFlags                    uint32
	PixelClock                    uint32
	LeftMargin, RightMargin       uint32
	UpperMargin, LowerMargin      uint32
	HSyncLen, VSyncLen            uint32
	Sync, VMode                   uint32
	Rotate, Colorspace            uint32
	Reserved                      [4]uint32
}

// fbFixScreenInfo is struct fb_fix_screeninfo of 64-bit programs, with its
// padding.
type fbFixScreenInfo struct {
	ID                             [16]byte
	SmemStart                      uint64
	SmemLen, Type, TypeAux, Visual uint32
	XPanStep, YPanStep, YWrapStep  uint16
	_                              uint16
	LineLength                     uint32
	_                              uint32
	MMIOStart                      uint64
	MMIOLen, Accel                 uint32
	Capabilities                   uint16
	_                              [3]uint16
}

// fbCmap is struct fb_cmap. The colours are addresses of arrays of uint16.
type fbCmap struct {
	Start, Len                    uint32
	Red, Green, Blue, Transparent uint64
}
