package kms

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// fbColors is the colour map of an fbdev: red, green and blue. Pixels do not use
// it, as each has its own colour. Clients read and set it nevertheless.
type fbColors [3][256]uint16

// maxSetColors is how many colours a client can set.
const maxSetColors = 16

// defaultFBColors returns the 16 colours of the console.
func defaultFBColors() (colors fbColors) {
	for i := range 16 {
		for channel, bit := range [...]int{4, 2, 1} {
			if i&bit != 0 {
				colors[channel][i] = 0xaaaa
			}
			if i&8 != 0 {
				colors[channel][i] += 0x5555
			}
		}
	}
	colors[1][6] = 0x5555 // brown instead of dark yellow
	return colors
}

// getCmap serves FBIOGETCMAP.
func (f *fbdev) getCmap(dev *drm.Device, caller drm.Caller, cmap *fbCmap) error {
	var colors fbColors
	if err := f.guarded(dev, func(*drm.RegisteredDevice) error {
		colors = f.colors
		return nil
	}); err != nil {
		return err
	}
	if cmap.Start >= uint32(len(colors[0])) || cmap.Len == 0 {
		return invalid("FBIOGETCMAP: %d colours from %d on; there are %d", cmap.Len, cmap.Start, len(colors[0]))
	}
	n := min(cmap.Len, uint32(len(colors[0]))-cmap.Start)
	for channel, addr := range cmap.channels() {
		var data []byte
		for _, value := range colors[channel][cmap.Start : cmap.Start+n] {
			data = binary.NativeEndian.AppendUint16(data, value)
		}
		if err := caller.CopyToUser(addr, data); err != nil {
			return err
		}
	}
	return nil
}

// putCmap serves FBIOPUTCMAP.
func (f *fbdev) putCmap(dev *drm.Device, caller drm.Caller, cmap *fbCmap) error {
	switch {
	case cmap.Len >= 1<<30:
		return refuse(unix.E2BIG, "FBIOPUTCMAP of %d colours", cmap.Len)
	case cmap.Len == 0, uint64(cmap.Start)+uint64(cmap.Len) > maxSetColors:
		return invalid("FBIOPUTCMAP: %d colours from %d on; the first %d can be set", cmap.Len, cmap.Start, maxSetColors)
	}
	var data [3][2 * maxSetColors]byte
	for channel, addr := range cmap.channels() {
		if err := caller.CopyFromUser(data[channel][:2*cmap.Len], addr); err != nil {
			return err
		}
	}
	return f.guarded(dev, func(dev *drm.RegisteredDevice) error {
		if dev.HasMaster() {
			return errHasMaster
		}
		for channel := range data {
			for i := range cmap.Len {
				f.colors[channel][cmap.Start+i] = binary.NativeEndian.Uint16(data[channel][2*i:])
			}
		}
		return nil
	})
}

// channels returns the addresses of the colours that exist.
func (c *fbCmap) channels() [3]uint64 { return [...]uint64{c.Red, c.Green, c.Blue} }
