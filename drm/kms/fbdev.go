package kms

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fourcc"
)

// An fbdev is /dev/fb0 over the framebuffer of the console, as the kernel's
// fbdev emulation has it (drm_fb_helper). Programs read, write and map the
// framebuffer. It is shown while no client is master of the card.
type fbdev struct {
	m     *ModeConfig
	fixed fbFixScreenInfo

	kobject *drm.Kobject // nil before publish, and if all numbers are in use

	// Guarded by console.mu. screen changes with a guard of the device only.
	screen   fbVarScreenInfo
	blank    uint32 // what FBIOBLANK said last
	modes    []fbMode
	mode     *fbMode // as written to the file mode, or nil
	suspends bool    // as written to the file state
	colors   fbColors
}

// An fbMode is a mode in the file modes. Only its size is known.
type fbMode struct{ width, height uint32 }

func (m fbMode) String() string { return fmt.Sprintf("U:%dx%dp-0\n", m.width, m.height) }

// Numbers of fbdev devices.
const (
	fbMajor = 29
	maxFB   = 32 // FB_MAX
)

// newFbdev returns the fbdev of the console's framebuffer. width and height are
// those of the part that all monitors show.
func newFbdev(m *ModeConfig, fb *Framebuffer, width, height uint32) *fbdev {
	f := &fbdev{m: m, blank: fbBlankPowerdown, colors: defaultFBColors()}
	f.fixed = fbFixScreenInfo{
		SmemLen: fb.pitches[0] * fb.height, Visual: fbVisualTruecolor, XPanStep: 1, YPanStep: 1, LineLength: fb.pitches[0],
	}
	f.screen = fbVarScreenInfo{XRes: width, YRes: height, Activate: fbActivateNow}
	for _, c := range m.Connectors() {
		if probed := c.lastProbe(); !c.writeback() && probed.widthMM > 0 {
			f.screen.Width, f.screen.Height = probed.widthMM, probed.heightMM
			break
		}
	}
	f.screen.fill(fb)
	f.screen.setFormat()
	f.modes = []fbMode{f.screen.size()}
	return f
}

// fill sets what the framebuffer determines and what no client can change.
func (v *fbVarScreenInfo) fill(fb *Framebuffer) {
	*v = fbVarScreenInfo{
		XRes: v.XRes, YRes: v.YRes, XVirtual: fb.width, YVirtual: fb.height, XOffset: v.XOffset, YOffset: v.YOffset,
		BitsPerPixel: bitsPerPixel(fb.format), Grayscale: v.Grayscale, Red: v.Red, Green: v.Green, Blue: v.Blue, Transparent: v.Transparent,
		NonStandard: v.NonStandard, Activate: v.Activate, Width: v.Width, Height: v.Height,
	}
}

// setFormat sets where a pixel has its colours. The format is consoleFormat.
func (v *fbVarScreenInfo) setFormat() {
	v.Red, v.Green, v.Blue, v.Transparent = fbBitfield{Offset: 16, Length: 8}, fbBitfield{Offset: 8, Length: 8}, fbBitfield{Length: 8}, fbBitfield{}
}

func bitsPerPixel(f *fourcc.Format) uint32 { return uint32(f.MinPitch(0, 8)) }

func (v *fbVarScreenInfo) size() fbMode { return fbMode{v.XRes, v.YRes} }

// publish makes the device appear, with the lowest number that is free in the
// class.
func (f *fbdev) publish(dev *drm.RegisteredDevice) {
	ids := dev.Class().IDs("fb")
	number := ids.Get() - 1
	if number >= maxFB {
		ids.Put(number + 1)
		return
	}
	copy(f.fixed.ID[:len(f.fixed.ID)-1], dev.Driver().Info.Name+"drmfb")
	general := dev.Device
	f.kobject = &drm.Kobject{
		Name: fmt.Sprintf("fb%d", number), Class: "graphics", Parent: general.Parent(),
		Attrs: f.attrs(general, number),
		Chardev: &drm.Chardev{
			Major: fbMajor, Minor: number, Memory: f.memory,
			Ioctl: func(ctx context.Context, caller drm.Caller, cmd uint32, arg uint64) error {
				return f.ioctl(ctx, general, caller, cmd, arg)
			},
		},
	}
	dev.Class().AddKobject(f.kobject)
}

// withdraw undoes publish.
func (f *fbdev) withdraw(dev *drm.Device) {
	if f.kobject == nil {
		return
	}
	dev.Class().RemoveKobject(f.kobject)
	dev.Class().IDs("fb").Put(f.kobject.Chardev.Minor + 1)
}

// name returns the name of the driver, as fbdev has it.
func (f *fbdev) name() string { return string(bytes.TrimRight(f.fixed.ID[:], "\x00")) }

// memory returns the memory of the framebuffer.
func (f *fbdev) memory() (drm.Mapping, error) {
	f.m.console.mu.Lock()
	defer f.m.console.mu.Unlock()
	if f.m.console.ended {
		return drm.Mapping{}, refuse(unix.ENODEV, "%s is unplugged", f.kobject.Name)
	}
	return f.m.console.fb.buffers[0].Mapping()
}

// guarded calls do inside a guard of the device, with console.mu held.
func (f *fbdev) guarded(dev *drm.Device, do func(dev *drm.RegisteredDevice) error) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	f.m.console.mu.Lock()
	defer f.m.console.mu.Unlock()
	return do(guard.Device())
}

// current returns the state of the screen.
func (f *fbdev) current() fbVarScreenInfo {
	f.m.console.mu.Lock()
	defer f.m.console.mu.Unlock()
	return f.screen
}

// set changes the state of the screen and shows it (fb_set_var). v becomes what
// was set.
func (f *fbdev) set(dev *drm.RegisteredDevice, v *fbVarScreenInfo) error {
	switch {
	case v.Activate&fbActivateInvMode != 0:
		return f.forgetMode(v.size())
	case v.Activate&fbActivateForce == 0 && *v == f.screen:
		return nil
	case v.XRes < fbMinSize || v.YRes < fbMinSize:
		return invalid("FBIOPUT_VSCREENINFO: %dx%d pixels; at least %dx%d are needed", v.XRes, v.YRes, fbMinSize, fbMinSize)
	}
	if err := f.check(v); err != nil {
		return err
	}
	if v.Activate&fbActivateMask != fbActivateNow {
		return nil // it was a test
	}
	f.screen = *v
	// As in the kernel, a master does not make this fail: it is shown later.
	_ = f.m.showConsole(dev, true)
	if size := v.size(); !slices.Contains(f.modes, size) {
		f.modes = append([]fbMode{size}, f.modes...)
	}
	if len(f.modes) > maxFBModes {
		f.modes = f.modes[:maxFBModes]
	}
	return nil
}

const (
	fbMinSize  = 8  // pixels
	maxFBModes = 64 // the kernel has no limit
)

// check refuses what the framebuffer cannot show, and completes v
// (drm_fb_helper_check_var).
func (f *fbdev) check(v *fbVarScreenInfo) error {
	fb := f.m.console.fb
	bits := bitsPerPixel(fb.format)
	if v.BitsPerPixel > bits || max(v.XRes, v.XVirtual) > fb.width || max(v.YRes, v.YVirtual) > fb.height {
		return invalid("FBIOPUT_VSCREENINFO: %dx%d of %dx%d pixels with %d bits; the framebuffer has %dx%d with %d bits",
			v.XRes, v.YRes, v.XVirtual, v.YVirtual, v.BitsPerPixel, fb.width, fb.height, bits)
	}
	width, height := f.screen.Width, f.screen.Height
	v.fill(fb)
	v.Width, v.Height = width, height
	switch {
	case v.XOffset > fb.width-v.XRes, v.YOffset > fb.height-v.YRes:
		return invalid("FBIOPUT_VSCREENINFO: %dx%d pixels at %d,%d are not in the framebuffer of %dx%d",
			v.XRes, v.YRes, v.XOffset, v.YOffset, fb.width, fb.height)
	case v.NonStandard != 0:
		return invalid("FBIOPUT_VSCREENINFO: nonstd is %d; only 0 is possible", v.NonStandard)
	}
	if none := (fbBitfield{}); v.Red == none && v.Green == none && v.Blue == none && v.Transparent == none {
		v.setFormat() // old clients leave it out
	}
	if v.Grayscale != 0 || v.Red != f.screen.Red || v.Green != f.screen.Green || v.Blue != f.screen.Blue || v.Transparent != f.screen.Transparent {
		return invalid("FBIOPUT_VSCREENINFO: the pixel format cannot be changed")
	}
	return nil
}

// forgetMode removes a mode from the file modes.
func (f *fbdev) forgetMode(size fbMode) error {
	if size == f.screen.size() {
		return invalid("FBIOPUT_VSCREENINFO: the mode %dx%d is in use", size.width, size.height)
	}
	f.modes = slices.DeleteFunc(f.modes, func(m fbMode) bool { return m == size })
	return nil
}

// pan shows another part of the framebuffer (fb_pan_display).
func (f *fbdev) pan(dev *drm.RegisteredDevice, v *fbVarScreenInfo) error {
	const wraps = 256 // FB_VMODE_YWRAP
	old := f.screen
	switch {
	case v.YOffset > 0 && v.VMode&wraps != 0:
		return invalid("FBIOPAN_DISPLAY: the picture cannot wrap")
	case v.XOffset > old.XVirtual-old.XRes, v.YOffset > old.YVirtual-old.YRes:
		return invalid("FBIOPAN_DISPLAY: %dx%d pixels at %d,%d are not in the framebuffer of %dx%d",
			old.XRes, old.YRes, v.XOffset, v.YOffset, old.XVirtual, old.YVirtual)
	}
	f.screen.XOffset, f.screen.YOffset = v.XOffset, v.YOffset
	if err := f.m.showConsole(dev, true); err != nil {
		f.screen.XOffset, f.screen.YOffset = old.XOffset, old.YOffset
		return err
	}
	return nil
}

// setBlank switches the displays off or on (fb_blank). A master keeps what it
// shows.
func (f *fbdev) setBlank(dev *drm.RegisteredDevice, blank uint32) {
	f.blank = min(blank, fbBlankPowerdown)
	_ = f.m.showConsole(dev, f.blank == 0)
}
