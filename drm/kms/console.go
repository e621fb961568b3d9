package kms

import (
	"bytes"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A console is a client inside the kernel, as fbcon and the fbdev emulation are:
// it shows a framebuffer on all connectors while no other client is master. Its
// framebuffer is black until a program draws through /dev/fb0.
type console struct {
	mu    sync.Mutex // held during a commit of the console; before ModeConfig.mu
	fb    *Framebuffer
	fbdev *fbdev // of fb; nil as long as fb is
	// ended: the device is unplugged, and the framebuffer released.
	ended bool
}

// consoleFormat is the format of the console's framebuffer.
const consoleFormat = uapi.FormatXRGB8888

// An output is a connector that the console shows its framebuffer on.
type output struct {
	connector *Connector
	mode      mode.Mode
	crtc      *CRTC // nil: all CRTCs that can feed it are taken
}

// restoreConsole lights the connectors, unless a client is master. The first
// call with a monitor makes the framebuffer, which fixes its size, and /dev/fb0
// (drm_client_modeset_commit). What cannot be lit stays dark, as in the kernel.
func (m *ModeConfig) restoreConsole(dev *drm.RegisteredDevice) {
	if !m.config.Console {
		return
	}
	if f := m.lightConsole(dev); f != nil {
		f.publish(dev)
	}
}

// lightConsole is restoreConsole without fbdev: it returns the one that has to be
// published, or nil.
func (m *ModeConfig) lightConsole(dev *drm.RegisteredDevice) (made *fbdev) {
	m.console.mu.Lock()
	defer m.console.mu.Unlock()
	if m.console.ended {
		return nil
	}
	if m.console.fb == nil {
		if !m.makeConsoleFB(m.consoleOutputs()) {
			return nil
		}
		made = m.console.fbdev
	}
	_ = m.showConsole(dev, true)
	return made
}

// showConsole shows the framebuffer, or switches the displays off and keeps it.
// EBUSY if a client is master. The caller holds console.mu.
func (m *ModeConfig) showConsole(dev *drm.RegisteredDevice, active bool) error {
	fb, at := m.console.fb, &m.console.fbdev.screen
	return m.commit(dev, commitOptions{unsynced: true}, func(a *AtomicState) error {
		if dev.HasMaster() {
			return errHasMaster
		}
		outputs := m.consoleOutputs() // with ModeConfig.mu held: no connector goes meanwhile
		for _, p := range m.planes {
			a.plane(p).Rotation = uapi.ModeRotate0
			if p.config.Type != uapi.PlaneTypePrimary {
				a.disablePlane(p)
			}
		}
		for _, c := range m.crtcs {
			i := slices.IndexFunc(outputs, func(o output) bool { return o.crtc == c })
			if i < 0 {
				a.setConfig(c, nil, nil, 0, 0, nil)
			} else {
				a.setConfig(c, &outputs[i].mode, fb, at.XOffset, at.YOffset, []*Connector{outputs[i].connector})
				a.crtc(c).Active = active
			}
		}
		return nil
	})
}

// errHasMaster refuses what the console and fbdev want to show.
var errHasMaster = refuse(unix.EBUSY, "another client is the master of the card, so the console is not shown")

// makeConsoleFB makes the framebuffer, as large as the largest mode, and reports
// whether it could.
func (m *ModeConfig) makeConsoleFB(outputs []output) bool {
	var width, height uint32
	var visible struct{ width, height uint32 } // on each monitor
	for i := range outputs {
		w, h := outputs[i].mode.Size()
		width, height = max(width, w), max(height, h)
		if i == 0 {
			visible.width, visible.height = w, h
		}
		visible.width, visible.height = min(visible.width, w), min(visible.height, h)
	}
	if width == 0 || !m.anyPlaneSupports(consoleFormat, uapi.FormatModLinear) {
		return false
	}
	format := fourcc.Lookup(consoleFormat)
	pitch := uint32(format.MinPitch(0, width))
	buffer, err := m.config.Buffers.NewObject(uint64(pitch) * uint64(height))
	if err != nil {
		return false
	}
	if _, err := m.config.Buffers.MmapOffset(buffer); err != nil {
		buffer.Put()
		return false
	}
	fb := &Framebuffer{width: width, height: height, format: format, comm: "[fbcon]", console: true}
	fb.buffers[0], fb.pitches[0] = buffer, pitch
	m.objects.add(&fb.objectBase, fb)
	m.console.fb, m.console.fbdev = fb, newFbdev(m, fb, visible.width, visible.height)
	return true
}

// endConsole removes /dev/fb0 and releases the framebuffer of an unplugged
// device.
func (m *ModeConfig) endConsole(dev *drm.Device) {
	m.console.mu.Lock()
	f := m.console.fbdev
	m.console.mu.Unlock()
	if f != nil {
		f.withdraw(dev)
	}
	m.console.mu.Lock()
	defer m.console.mu.Unlock()
	m.console.ended = true
	if m.console.fb != nil {
		m.objects.put(m.console.fb)
		m.console.fb = nil
	}
}

// ShowsPicture reports whether the CRTC is on and shows more than a console that no
// program has drawn on, whose pixels are all 0.
func (m *ModeConfig) ShowsPicture(c *CRTC) bool {
	s := &composition{table: &m.objects, crtc: c}
	state := m.holdScanout(c, s)
	defer s.release()
	if !state.crtcs[c.index].Active {
		return false
	}
	for _, held := range s.held {
		fb, ok := held.(*Framebuffer)
		if !ok || !fb.console {
			return true
		}
		pixels, err := fb.buffers[0].Pixels()
		if err != nil || !allZero(pixels) {
			return true
		}
	}
	return len(s.held) == 0 // and only the background
}

var zeros [64 << 10]byte

func allZero(data []byte) bool {
	for chunk := range slices.Chunk(data, len(zeros)) {
		if !bytes.Equal(chunk, zeros[:len(chunk)]) {
			return false
		}
	}
	return true
}

// consoleOutputs returns the connectors to light, each with a CRTC of its own:
// those with a monitor on a desktop, or else those that may have one.
func (m *ModeConfig) consoleOutputs() (outputs []output) {
	for _, status := range []uint32{uapi.ModeConnected, uapi.ModeUnknownConnection} {
		for _, c := range m.Connectors() {
			probed := c.lastProbe()
			if c.writeback() || c.unregistered.Load() || len(c.encoders) == 0 || probed.connection != status || probed.nonDesktop {
				continue
			}
			if timing, ok := m.consoleMode(probed.modes); ok {
				outputs = append(outputs, output{connector: c, mode: timing})
			}
		}
		if outputs != nil {
			break
		}
	}
	for i := range outputs {
		m.takeCRTC(outputs, i, make([]bool, len(m.crtcs)))
	}
	return slices.DeleteFunc(outputs, func(o output) bool { return o.crtc == nil })
}

// consoleMode returns the first valid mode that the framebuffer is large enough
// for: clients get preferred modes first.
func (m *ModeConfig) consoleMode(modes []mode.Mode) (timing mode.Mode, ok bool) {
	fb := m.console.fb
	for _, timing := range modes {
		if w, h := timing.Size(); timing.Validate() == nil && (fb == nil || w <= fb.width && h <= fb.height) {
			return timing, true
		}
	}
	return timing, false
}

// takeCRTC gives outputs[i] the first CRTC that is free. If all that can feed it are
// taken, it tries to give the output that has one of them another. tried are the
// CRTCs that were looked at.
func (m *ModeConfig) takeCRTC(outputs []output, i int, tried []bool) bool {
	ownerOf := func(c *CRTC) int { return slices.IndexFunc(outputs, func(o output) bool { return o.crtc == c }) }
	for _, c := range m.crtcs {
		if outputs[i].connector.encoders[0].possible(c) && ownerOf(c) < 0 {
			outputs[i].crtc = c
			return true
		}
	}
	for _, c := range m.crtcs {
		if tried[c.index] || !outputs[i].connector.encoders[0].possible(c) {
			continue
		}
		tried[c.index] = true
		if m.takeCRTC(outputs, ownerOf(c), tried) {
			outputs[i].crtc = c
			return true
		}
	}
	return false
}

// showInternalClients is the content of the debugfs file internal_clients.
func (m *ModeConfig) showInternalClients() string {
	if m.config.Console {
		return "fbdev\n"
	}
	return ""
}
