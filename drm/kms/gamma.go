package kms

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// lutEntrySize is the size of struct drm_color_lut.
const lutEntrySize = 8

// findGamma checks the arguments of both legacy gamma requests.
func (m *ModeConfig) findGamma(f *drm.File, arg *uapi.ModeCRTCLUT) (*CRTC, error) {
	c, err := m.findCRTC(f, arg.CRTCID)
	if err != nil {
		return nil, err
	}
	if uint64(arg.GammaSize) != uint64(c.config.GammaSize) {
		return c, invalid("gamma table of CRTC %d: it has %d entries, not %d", c.id, c.config.GammaSize, arg.GammaSize)
	}
	return c, nil
}

func (m *ModeConfig) getGamma(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeCRTCLUT) error {
	c, err := m.findGamma(req.File, arg)
	if err != nil {
		return err
	}
	m.mu.Lock()
	gamma := c.legacy.gamma // tables are replaced, never changed
	m.mu.Unlock()
	for i, addr := range [...]uint64{arg.Red, arg.Green, arg.Blue} {
		if err := drm.PutArray(req, addr, gamma[i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *ModeConfig) setGamma(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeCRTCLUT) error {
	c, err := m.findGamma(req.File, arg)
	if c != nil && c.config.GammaSize == 0 {
		return refuse(unix.ENOSYS, "SETGAMMA: CRTC %d has no gamma table", c.id)
	}
	if err != nil {
		return err
	}
	var gamma [3][]uint16
	for i, addr := range [...]uint64{arg.Red, arg.Green, arg.Blue} {
		if gamma[i], err = drm.ReadArray[uint16](req, addr, uint32(c.config.GammaSize)); err != nil {
			return err
		}
	}
	lut := make([]byte, 0, lutEntrySize*c.config.GammaSize)
	for i := range c.config.GammaSize {
		for _, table := range gamma {
			lut = binary.NativeEndian.AppendUint16(lut, table[i])
		}
		lut = append(lut, 0, 0)
	}
	blob := m.newBlob(lut)
	defer m.objects.put(blob)
	return m.commit(dev, commitOptions{ctx: req.Context()}, func(a *AtomicState) error {
		s := a.crtc(c)
		s.DegammaLUT, s.CTM, s.GammaLUT = nil, nil, blob
		a.onSuccess = func() { c.legacy.gamma = gamma }
		return nil
	})
}
