package kms

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/udrm/udrm/drm"
)

// attrs returns the files of the device in sysfs.
func (f *fbdev) attrs(dev *drm.Device, number int) []drm.Attr {
	show := func(format string, values func(v *fbVarScreenInfo) []any) func() string {
		return func() string {
			v := f.current()
			return fmt.Sprintf(format, values(&v)...)
		}
	}
	// change returns a Store function that parses what was written into values,
	// and has apply make a state of the screen of them.
	change := func(count int, apply func(dev *drm.RegisteredDevice, v *fbVarScreenInfo, values []uint32) error) func(string) error {
		return func(data string) error {
			values, err := parseNumbers(data, count)
			if err != nil {
				return err
			}
			return f.guarded(dev, func(dev *drm.RegisteredDevice) error {
				v := f.screen
				return apply(dev, &v, values)
			})
		}
	}
	force := func(dev *drm.RegisteredDevice, v *fbVarScreenInfo) error {
		v.Activate |= fbActivateForce
		return f.set(dev, v)
	}
	nothing := func() string { return "" }
	ignore := func(string) error { return nil }
	blank := nothing
	if f.m.config.Kernel == drm.Linux72 {
		blank = func() string {
			f.m.console.mu.Lock()
			defer f.m.console.mu.Unlock()
			return fmt.Sprintf("%d\n", f.blank)
		}
	}
	return []drm.Attr{
		{Name: "bits_per_pixel",
			Show: show("%d\n", func(v *fbVarScreenInfo) []any { return []any{v.BitsPerPixel} }),
			Store: change(1, func(dev *drm.RegisteredDevice, v *fbVarScreenInfo, values []uint32) error {
				v.BitsPerPixel = values[0]
				return force(dev, v)
			})},
		{Name: "bl_curve", Show: nothing, // the kernel: ENODEV
			Store: func(string) error { return invalid("%s has no backlight", f.kobject.Name) }},
		{Name: "blank", Show: blank,
			Store: change(1, func(dev *drm.RegisteredDevice, _ *fbVarScreenInfo, values []uint32) error {
				f.setBlank(dev, values[0])
				return nil
			})},
		{Name: "console", Show: nothing, Store: ignore},
		{Name: "cursor", Show: nothing, Store: ignore},
		{Name: "dev", Show: func() string { return fmt.Sprintf("%d:%d\n", fbMajor, number) }},
		{Name: "mode", Show: f.showMode, Store: func(data string) error { return f.storeMode(dev, data) }},
		{Name: "modes", Show: f.showModes,
			Store: func(string) error { return invalid("the modes of %s cannot be written", f.kobject.Name) }},
		{Name: "name", Show: func() string { return f.name() + "\n" }},
		{Name: "pan",
			Show: show("%d,%d\n", func(v *fbVarScreenInfo) []any { return []any{v.XOffset, v.YOffset} }),
			Store: change(2, func(dev *drm.RegisteredDevice, v *fbVarScreenInfo, values []uint32) error {
				v.XOffset, v.YOffset = values[0], values[1]
				return f.pan(dev, v)
			})},
		{Name: "rotate",
			Show: show("%d\n", func(v *fbVarScreenInfo) []any { return []any{v.Rotate} }),
			Store: change(1, func(dev *drm.RegisteredDevice, v *fbVarScreenInfo, values []uint32) error {
				v.Rotate = values[0] // which set ignores, as in the kernel
				return force(dev, v)
			})},
		{Name: "state", Show: f.showState, Store: func(data string) error { return f.storeState(dev, data) }},
		{Name: "stride", Show: func() string { return fmt.Sprintf("%d\n", f.fixed.LineLength) }},
		{Name: "virtual_size",
			Show: show("%d,%d\n", func(v *fbVarScreenInfo) []any { return []any{v.XVirtual, v.YVirtual} }),
			Store: change(2, func(dev *drm.RegisteredDevice, v *fbVarScreenInfo, values []uint32) error {
				v.XVirtual, v.YVirtual = values[0], values[1]
				return force(dev, v)
			})},
	}
}

// parseNumbers parses count numbers, separated by a comma. As in the kernel, what
// is no number is 0, and what follows the last one does not matter.
func parseNumbers(data string, count int) ([]uint32, error) {
	parts := strings.SplitN(strings.TrimRight(data, "\n\x00"), ",", count)
	if len(parts) < count {
		return nil, invalid("%q has no %d numbers", data, count)
	}
	values := make([]uint32, count)
	for i, part := range parts {
		digits := strings.TrimLeft(part, "0123456789abcdefABCDEFxX")
		n, err := strconv.ParseUint(strings.TrimSuffix(part, digits), 0, 32)
		if err == nil {
			values[i] = uint32(n)
		}
	}
	return values, nil
}

func (f *fbdev) showMode() string {
	f.m.console.mu.Lock()
	defer f.m.console.mu.Unlock()
	if f.mode == nil {
		return ""
	}
	return f.mode.String()
}

func (f *fbdev) showModes() string {
	f.m.console.mu.Lock()
	defer f.m.console.mu.Unlock()
	var out strings.Builder
	for _, m := range f.modes {
		out.WriteString(m.String())
	}
	return out.String()
}

// storeMode sets one of the modes in the file modes.
func (f *fbdev) storeMode(dev *drm.Device, data string) error {
	return f.guarded(dev, func(dev *drm.RegisteredDevice) error {
		for _, m := range f.modes {
			if m.String() != data {
				continue
			}
			v := f.screen
			v.XRes, v.YRes, v.Activate = m.width, m.height, fbActivateForce
			if err := f.set(dev, &v); err != nil {
				return err
			}
			f.mode = &m
			return nil
		}
		return invalid("%s has no mode %q; the file modes lists them", f.kobject.Name, data)
	})
}

func (f *fbdev) showState() string {
	f.m.console.mu.Lock()
	defer f.m.console.mu.Unlock()
	if f.suspends {
		return "1\n"
	}
	return "0\n"
}

// storeState keeps whether the device is suspended. Nothing depends on it.
func (f *fbdev) storeState(dev *drm.Device, data string) error {
	values, err := parseNumbers(data, 1)
	if err != nil {
		return err
	}
	return f.guarded(dev, func(*drm.RegisteredDevice) error {
		f.suspends = values[0] != 0
		return nil
	})
}
