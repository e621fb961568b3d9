package conformance

import (
	"math"

	"golang.org/x/sys/unix"
)

// fbdevCases are about /dev/fb0, as the kernel's fbdev emulation has it. While a
// client is master of the card, fbdev shows nothing.
var fbdevCases = []Case{
	{"fbdev/screen", NeedFbdev, fbdevScreen},
	{"fbdev/bad-pointer", NeedFbdev, fbdevBadPointer},
	{"fbdev/put", NeedFbdev, fbdevPut},
	{"fbdev/put-errors", NeedFbdev, fbdevPutErrors},
	{"fbdev/pan", NeedFbdev, fbdevPan},
	{"fbdev/blank", NeedFbdev, fbdevBlank},
	{"fbdev/mmap", NeedFbdev, fbdevMmap},
	{"fbdev/seek", NeedFbdev, fbdevSeek},
	{"fbdev/master", NeedFbdev | NeedMaster, fbdevMaster},
	{"fbdev/unknown", NeedFbdev, fbdevUnknown},
}

// Requests of linux/fb.h.
const (
	fbGetScreen = 0x4600
	fbPutScreen = 0x4601
	fbGetFixed  = 0x4602
	fbGetCmap   = 0x4604
	fbPutCmap   = 0x4605
	fbPan       = 0x4606
	fbCursor    = 0xc0684608
	fbBlank     = 0x4611
	fbWaitVSync = 0x40044620
)

// fbScreen is struct fb_var_screeninfo.
type fbScreen [40]uint32

// Indexes of an fbScreen.
const (
	fbXRes, fbYRes, fbXVirtual, fbYVirtual, fbXOffset, fbYOffset = 0, 1, 2, 3, 4, 5
	fbBits, fbGrayscale, fbRed, fbNonStandard, fbActivate        = 6, 7, 8, 20, 21
	fbPixelClock, fbVMode, fbReserved                            = 25, 33, 36
	fbColors                                                     = 12 // numbers from fbRed on
)

// Values of activate.
const (
	fbActivateTest      = 2
	fbActivateForgetNow = 256 // FB_ACTIVATE_INV_MODE
)

// fbFixed is struct fb_fix_screeninfo, as words: those of the 64-bit fields come
// in pairs.
type fbFixed [20]uint32

// Indexes of an fbFixed.
const fbStart, fbSize, fbType, fbVisual, fbLine = 4, 6, 7, 9, 12

// OpenFbdev opens the fbdev device, and returns its screen.
func (t *tester) OpenFbdev() (*file, fbScreen) {
	t.Helper()
	path, err := t.target.Fbdev()
	t.Must("the fbdev device", err)
	f := t.OpenPath(path, unix.O_RDWR)
	return f, f.screen()
}

func (f *file) screen() (s fbScreen) {
	f.t.Helper()
	f.t.Must("FBIOGET_VSCREENINFO", f.Ioctl(fbGetScreen, &s))
	return s
}

func (f *file) fixed() (s fbFixed) {
	f.t.Helper()
	f.t.Must("FBIOGET_FSCREENINFO", f.Ioctl(fbGetFixed, &s))
	return s
}

// fbdevScreen checks that the two structs agree.
func fbdevScreen(t *tester) {
	f, s := t.OpenFbdev()
	fixed := f.fixed()
	if s[fbXRes] < 8 || s[fbYRes] < 8 || s[fbXRes] > s[fbXVirtual] || s[fbYRes] > s[fbYVirtual] {
		t.Errorf("the screen has %dx%d of %dx%d pixels", s[fbXRes], s[fbYRes], s[fbXVirtual], s[fbYVirtual])
	}
	if line := uint64(fixed[fbLine]); line*8 < uint64(s[fbXVirtual])*uint64(s[fbBits]) {
		t.Errorf("a line of %d pixels with %d bits has %d bytes", s[fbXVirtual], s[fbBits], line)
	}
	if size := uint64(fixed[fbLine]) * uint64(s[fbYVirtual]); uint64(fixed[fbSize]) < size {
		t.Errorf("the memory has %d bytes, want at least %d", fixed[fbSize], size)
	}
	equal(t, "the type (FB_TYPE_PACKED_PIXELS)", fixed[fbType], 0)
	equal(t, "the visual (FB_VISUAL_TRUECOLOR)", fixed[fbVisual], 2)
	equal(t, "the address of the memory", [2]uint32(fixed[fbStart:]), [2]uint32{})
	equal(t, "the pixel clock", s[fbPixelClock], 0)
}

func fbdevBadPointer(t *tester) {
	f, before := t.OpenFbdev()
	for _, cmd := range []uint32{fbGetScreen, fbPutScreen, fbGetFixed, fbGetCmap, fbPutCmap, fbPan} {
		f.Want("at an unmapped address", cmd, uintptr(t.BadAddr()), unix.EFAULT)
		f.Want("at NULL", cmd, uintptr(0), unix.EFAULT)
	}
	equal(t, "the screen after refusals", f.screen(), before)
}

// put writes a changed screen. It returns what the device has made of it.
func (f *file) put(before fbScreen, change func(*fbScreen)) (fbScreen, error) {
	change(&before)
	err := f.Ioctl(fbPutScreen, &before)
	return before, err
}

// fbdevPut checks what FBIOPUT_VSCREENINFO accepts: it completes the struct, and
// ignores a timing.
func fbdevPut(t *tester) {
	f, before := t.OpenFbdev()
	for what, change := range map[string]func(*fbScreen){
		"as it is":                    func(*fbScreen) {},
		"with a pixel clock":          func(s *fbScreen) { s[fbPixelClock] = 12345 },
		"with a timing":               func(s *fbScreen) { copy(s[fbPixelClock+1:], []uint32{1, 2, 3, 4, 5, 6, 7, 8}) },
		"with reserved fields":        func(s *fbScreen) { s[fbReserved] = 5 },
		"without colours":             func(s *fbScreen) { clear(s[fbRed : fbRed+fbColors]) },
		"with fewer bits":             func(s *fbScreen) { s[fbBits] = 16 },
		"with a small virtual screen": func(s *fbScreen) { s[fbXVirtual], s[fbYVirtual] = 8, 8 },
	} {
		for _, activate := range []uint32{0, fbActivateTest} {
			got, err := f.put(before, func(s *fbScreen) { change(s); s[fbActivate] = activate })
			t.Want("FBIOPUT_VSCREENINFO "+what, err)
			want := before
			want[fbActivate] = activate
			equal(t, "the struct after FBIOPUT_VSCREENINFO "+what, got, want)
			now := f.screen()
			now[fbActivate] = before[fbActivate]
			equal(t, "the screen after FBIOPUT_VSCREENINFO "+what, now, before)
		}
	}
	_, err := f.put(before, func(s *fbScreen) { s[fbXRes], s[fbYRes], s[fbActivate] = 64, 32, fbActivateTest })
	t.Want("FBIOPUT_VSCREENINFO that tests a smaller screen", err)
	equal(t, "the width after a test", f.screen()[fbXRes], before[fbXRes])
}

// fbdevPutErrors checks what FBIOPUT_VSCREENINFO refuses, with and without a
// test. Nothing changes.
func fbdevPutErrors(t *tester) {
	f, before := t.OpenFbdev()
	for what, change := range map[string]func(*fbScreen){
		"wider than the framebuffer":           func(s *fbScreen) { s[fbXRes] = s[fbXVirtual] + 1 },
		"higher than the framebuffer":          func(s *fbScreen) { s[fbYRes] = s[fbYVirtual] + 1 },
		"of the largest width":                 func(s *fbScreen) { s[fbXRes] = math.MaxUint32 },
		"of width 7":                           func(s *fbScreen) { s[fbXRes] = 7 },
		"of height 0":                          func(s *fbScreen) { s[fbYRes] = 0 },
		"with a wider virtual screen":          func(s *fbScreen) { s[fbXVirtual]++ },
		"with a higher virtual screen":         func(s *fbScreen) { s[fbYVirtual]++ },
		"with more bits":                       func(s *fbScreen) { s[fbBits]++ },
		"in grey":                              func(s *fbScreen) { s[fbGrayscale] = 1 },
		"in a format by its code":              func(s *fbScreen) { s[fbGrayscale] = 0x34325258 },
		"with another place of red":            func(s *fbScreen) { s[fbRed] += 8 },
		"with another size of red":             func(s *fbScreen) { s[fbRed+1]++ },
		"with red the other way":               func(s *fbScreen) { s[fbRed+2] = 1 },
		"with an alpha channel":                func(s *fbScreen) { s[fbRed+9], s[fbRed+10] = 24, 8 },
		"not standard":                         func(s *fbScreen) { s[fbNonStandard] = 1 },
		"moved right beyond the framebuffer":   func(s *fbScreen) { s[fbXOffset] = s[fbXVirtual] - s[fbXRes] + 1 },
		"moved down beyond the framebuffer":    func(s *fbScreen) { s[fbYOffset] = s[fbYVirtual] - s[fbYRes] + 1 },
		"moved down as far as can be":          func(s *fbScreen) { s[fbYOffset] = math.MaxUint32 },
		"that forgets the mode that it is in ": func(s *fbScreen) { s[fbActivate] = fbActivateForgetNow },
	} {
		for _, activate := range []uint32{0, fbActivateTest} {
			_, err := f.put(before, func(s *fbScreen) { s[fbActivate] = activate; change(s) })
			t.Want("FBIOPUT_VSCREENINFO "+what, err, unix.EINVAL)
		}
	}
	equal(t, "the screen after refusals", f.screen(), before)
}

func fbdevPan(t *tester) {
	f, s := t.OpenFbdev()
	const wrap = 256 // FB_VMODE_YWRAP
	for _, c := range []struct {
		what          string
		right, down   uint32
		vmode, ignore uint32
		errnos        []unix.Errno
	}{
		{"to where it is", s[fbXOffset], s[fbYOffset], 0, 0, nil},
		{"to the corner", 0, 0, 0, 0, nil},
		{"with other sizes, which do not matter", 0, 0, 0, 1, nil},
		{"a pixel too far to the right", s[fbXVirtual] - s[fbXRes] + 1, 0, 0, 0, []unix.Errno{unix.EINVAL}},
		{"a line too far down", 0, s[fbYVirtual] - s[fbYRes] + 1, 0, 0, []unix.Errno{unix.EINVAL}},
		{"as far as can be", math.MaxUint32, math.MaxUint32, 0, 0, []unix.Errno{unix.EINVAL}},
		{"around the end", 0, 1, wrap, 0, []unix.Errno{unix.EINVAL}},
	} {
		arg := s
		arg[fbXOffset], arg[fbYOffset], arg[fbVMode] = c.right, c.down, c.vmode
		if c.ignore != 0 {
			arg[fbXRes], arg[fbYRes], arg[fbBits] = 1, 1, 99
		}
		t.Want("FBIOPAN_DISPLAY "+c.what, f.Ioctl(fbPan, &arg), c.errnos...)
	}
	equal(t, "the screen after pans to the corner", f.screen(), s)
}

func fbdevBlank(t *tester) {
	f, _ := t.OpenFbdev()
	for _, blank := range []uintptr{4, 3, 2, 1, 0} {
		t.Want("FBIOBLANK", f.Ioctl(fbBlank, blank))
	}
	for _, blank := range []uintptr{5, 255, math.MaxUint32, math.MaxUint64} {
		t.Want("FBIOBLANK with an unknown value", f.Ioctl(fbBlank, blank), unix.EINVAL)
	}
}

// fbdevMmap checks that all clients see the same memory, and that it stays.
func fbdevMmap(t *tester) {
	f, _ := t.OpenFbdev()
	other, _ := t.OpenFbdev()
	fixed := f.fixed()
	pixels, err := f.Mmap(0, int(fixed[fbLine]))
	t.Must("mmap", err)
	same, err := other.Mmap(0, int(fixed[fbSize]))
	t.Must("mmap", err)
	old := pixels[0]
	defer func() { pixels[0] = old }()
	for _, value := range []byte{1, 77} {
		pixels[0] = value
		equal(t, "what the other client sees", same[0], value)
	}
	same[fixed[fbSize]-1] = same[0] // the last byte exists
	t.Must("close", f.Close())
	pixels[0] = 99
	equal(t, "what the other client sees after a close", same[0], 99)
}

// fbdevSeek checks that the device has no size: a seek to the end leads to the
// beginning.
func fbdevSeek(t *tester) {
	f, _ := t.OpenFbdev()
	at, err := t.target.System.Seek(f.fd, 0, unix.SEEK_END)
	t.Must("lseek to the end", err)
	equal(t, "the end", at, 0)
}

// fbdevMaster checks that a master of the card keeps the displays.
func fbdevMaster(t *tester) {
	f, s := t.OpenFbdev()
	master := t.Open()
	if err := asMaster(master); err != nil {
		t.Fatalf("SET_MASTER: %v", err)
	}
	arg := s
	t.Want("FBIOPAN_DISPLAY beside a master", f.Ioctl(fbPan, &arg), unix.EBUSY)
	t.Want("FBIOPUT_VSCREENINFO beside a master", f.Ioctl(fbPutScreen, &arg))
	t.Want("FBIOBLANK beside a master", f.Ioctl(fbBlank, uintptr(0)))
	t.Want("FBIO_WAITFORVSYNC beside a master", f.Ioctl(fbWaitVSync, new(uint32)), unix.EBUSY)
	t.Must("close", master.Close())
	t.Want("FBIOPAN_DISPLAY after the master", f.Ioctl(fbPan, &arg))
	t.Want("FBIO_WAITFORVSYNC after the master", f.Ioctl(fbWaitVSync, new(uint32)))
}

func fbdevUnknown(t *tester) {
	f, _ := t.OpenFbdev()
	t.Want("FBIO_CURSOR", f.Ioctl(fbCursor, t.buffer()), unix.EINVAL)
	for _, cmd := range []uint32{0x4603, 0x46ff, 0x5401, 'd'<<8 | 1} {
		t.Want("an unknown request", f.Ioctl(cmd, t.buffer()), unix.ENOTTY)
	}
}
