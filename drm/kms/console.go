package kms

import (
	"errors"
	"slices"
	"sync"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A console is a client inside the kernel, as fbcon and the fbdev emulation are:
// it shows a framebuffer on all connectors while no other client is master. Its
// framebuffer is black.
type console struct {
	mu sync.Mutex // held during a commit of the console; before ModeConfig.mu
	fb *Framebuffer
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

// errMaster says that another client is master.
var errMaster = errors.New("kms: the console waits for the master")

// restoreConsole lights the connectors, unless a client is master. The first
// call with a monitor makes the framebuffer, and fixes its size
// (drm_client_modeset_commit). What cannot be lit stays dark, as in the kernel.
func (m *ModeConfig) restoreConsole(dev *drm.RegisteredDevice) {
	if !m.config.Console {
		return
	}
	m.console.mu.Lock()
	defer m.console.mu.Unlock()
	if m.console.ended || m.console.fb == nil && !m.makeConsoleFB(m.consoleOutputs()) {
		return
	}
	fb := m.console.fb
	_ = m.commit(dev, commitOptions{unsynced: true}, func(a *AtomicState) error {
		if dev.HasMaster() {
			return errMaster
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
				a.setConfig(c, &outputs[i].mode, fb, 0, 0, []*Connector{outputs[i].connector})
			}
		}
		return nil
	})
}

// makeConsoleFB makes the framebuffer, as large as the largest mode, and reports
// whether it could.
func (m *ModeConfig) makeConsoleFB(outputs []output) bool {
	var width, height uint32
	for i := range outputs {
		w, h := outputs[i].mode.Size()
		width, height = max(width, w), max(height, h)
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
	fb := &Framebuffer{width: width, height: height, format: format, comm: "[fbcon]"}
	fb.buffers[0], fb.pitches[0] = buffer, pitch
	m.objects.add(&fb.objectBase, fb)
	m.console.fb = fb
	return true
}

// endConsole releases the framebuffer of an unplugged device.
func (m *ModeConfig) endConsole() {
	m.console.mu.Lock()
	defer m.console.mu.Unlock()
	m.console.ended = true
	if m.console.fb != nil {
		m.objects.put(m.console.fb)
		m.console.fb = nil
	}
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

// consoleMode returns the first mode that the framebuffer is large enough for:
// clients get preferred modes first.
func (m *ModeConfig) consoleMode(modes []mode.Mode) (timing mode.Mode, ok bool) {
	fb := m.console.fb
	for _, timing := range modes {
		if w, h := timing.Size(); fb == nil || w <= fb.width && h <= fb.height {
			return timing, true
		}
	}
	return timing, false
}

// takeCRTC gives outputs[i] a CRTC. If all that can feed it are taken, it tries
// to give the output that has one of them another. tried are the CRTCs that
// were looked at.
func (m *ModeConfig) takeCRTC(outputs []output, i int, tried []bool) bool {
	for _, c := range m.crtcs {
		if tried[c.index] || !outputs[i].connector.encoders[0].possible(c) {
			continue
		}
		tried[c.index] = true
		owner := slices.IndexFunc(outputs, func(o output) bool { return o.crtc == c })
		if owner < 0 || m.takeCRTC(outputs, owner, tried) {
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
