package vt

// Requests of linux/kd.h and linux/vt.h.
const (
	kdGetLED     = 0x4b31
	kdSetLED     = 0x4b32
	kdGKBType    = 0x4b33
	kdAddIO      = 0x4b34
	kdDelIO      = 0x4b35
	kdEnabIO     = 0x4b36
	kdDisabIO    = 0x4b37
	kdSetMode    = 0x4b3a
	kdGetMode    = 0x4b3b
	kdMapDisp    = 0x4b3c
	kdUnmapDisp  = 0x4b3d
	kdMkTone     = 0x4b30
	kiocSound    = 0x4b2f
	kdGKBMode    = 0x4b44
	kdSKBMode    = 0x4b45
	kdGKBEnt     = 0x4b46
	kdSKBEnt     = 0x4b47
	kdGKBDiacr   = 0x4b4a
	kdGKBMeta    = 0x4b62
	kdSKBMeta    = 0x4b63
	kdGKBLED     = 0x4b64
	kdSKBLED     = 0x4b65
	gioCMap      = 0x4b70
	pioCMap      = 0x4b71
	kdFontOp     = 0x4b72
	kdGKBDiacrUC = 0x4bfa

	vtOpenQuery   = 0x5600
	vtGetMode     = 0x5601
	vtSetMode     = 0x5602
	vtGetState    = 0x5603
	vtRelDisp     = 0x5605
	vtActivate    = 0x5606
	vtWaitActive  = 0x5607
	vtDisallocate = 0x5608
	vtResize      = 0x5609
	vtResizeX     = 0x560a
	vtLockSwitch  = 0x560b
	vtUnlock      = 0x560c
	vtHiFontMask  = 0x560d
	vtSetActivate = 0x560f

	tioclinux          = 0x541c
	tioclGetShiftState = 6
	tioclGetForeground = 12
)

// Values of these requests.
const (
	modeAuto    = 0
	modeProcess = 1
	ackAcquired = 2

	kdText     = 0
	kdGraphics = 1
	kdText0    = 2
	kdText1    = 3

	kbType101 = 2
	kbUnicode = 3
	kbOff     = 4

	metaBit    = 3
	metaPrefix = 4

	ledsMask = 0x77

	keyHole      = 0x0200
	keyNoSuchMap = 0x027f
	mapPlain     = 0
)
