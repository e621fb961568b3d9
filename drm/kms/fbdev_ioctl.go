package kms

import (
	"context"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// ioctl serves the requests of /dev/fb0. Client memory is copied outside of the
// guard.
func (f *fbdev) ioctl(ctx context.Context, dev *drm.Device, caller drm.Caller, cmd uint32, arg uint64) error {
	switch cmd {
	case fbioGetVScreenInfo:
		var v fbVarScreenInfo
		return f.answer(dev, caller, arg, &v, func(*drm.RegisteredDevice) error {
			v = f.screen
			return nil
		})
	case fbioGetFScreenInfo:
		return f.answer(dev, caller, arg, &f.fixed, func(*drm.RegisteredDevice) error { return nil })
	case fbioPutVScreenInfo, fbioPanDisplay:
		var v fbVarScreenInfo
		if err := readFB(caller, arg, &v); err != nil {
			return err
		}
		return f.answer(dev, caller, arg, &v, func(dev *drm.RegisteredDevice) error {
			if cmd == fbioPanDisplay {
				return f.pan(dev, &v)
			}
			const kernelOnly = 512 // FB_ACTIVATE_KD_TEXT
			v.Activate &^= kernelOnly
			return f.set(dev, &v)
		})
	case fbioGetCmap, fbioPutCmap:
		var cmap fbCmap
		if err := readFB(caller, arg, &cmap); err != nil {
			return err
		}
		if cmd == fbioGetCmap {
			return f.getCmap(dev, caller, &cmap)
		}
		return f.putCmap(dev, caller, &cmap)
	case fbioBlank:
		if arg > fbBlankPowerdown {
			return invalid("FBIOBLANK: %d is not between 0 and %d", arg, fbBlankPowerdown)
		}
		return f.guarded(dev, func(dev *drm.RegisteredDevice) error {
			f.setBlank(dev, uint32(arg))
			return nil
		})
	case fbioCursor, fbioGetCon2FBMap, fbioPutCon2FBMap:
		return f.guarded(dev, func(*drm.RegisteredDevice) error {
			return invalid("fbdev request %#x: there are no virtual consoles", cmd)
		})
	}
	return f.wait(ctx, dev, cmd)
}

// wait serves FBIO_WAITFORVSYNC: it waits for a vblank of the first CRTC. While
// that is off, it does not wait.
func (f *fbdev) wait(ctx context.Context, dev *drm.Device, cmd uint32) error {
	guard, err := dev.RegistrationGuard()
	if err != nil {
		return err
	}
	defer guard.Exit()
	unknown := cmd != fbioWaitForVSync
	switch {
	case unknown && f.m.config.Kernel == drm.Linux72:
		return refuse(unix.ENOTTY, "unknown fbdev request %#x", cmd)
	case guard.Device().HasMaster(): // Linux 6.12 asks this before it looks at the request
		return errHasMaster
	case unknown:
		return refuse(unix.ENOTTY, "unknown fbdev request %#x", cmd)
	case len(f.m.crtcs) == 0:
		return nil
	}
	v := &f.m.crtcs[0].vblank
	now, err := v.read()
	if err != nil {
		return nil // it is off
	}
	_, err = v.sleep(ctx, guard.Device(), now.count+1)
	return err
}

// answer calls do as guarded does, then copies value to the client.
func (f *fbdev) answer(dev *drm.Device, caller drm.Caller, addr uint64, value any, do func(*drm.RegisteredDevice) error) error {
	if err := f.guarded(dev, do); err != nil {
		return err
	}
	data, err := binary.Append(nil, binary.NativeEndian, value)
	if err != nil {
		return err
	}
	return caller.CopyToUser(addr, data)
}

// readFB copies a structure from the client.
func readFB(caller drm.Caller, addr uint64, value any) error {
	data := make([]byte, binary.Size(value))
	if err := caller.CopyFromUser(data, addr); err != nil {
		return err
	}
	_, err := binary.Decode(data, binary.NativeEndian, value)
	return err
}
