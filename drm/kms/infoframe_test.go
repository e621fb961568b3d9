package kms_test

import (
	"bytes"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// TestInfoframes checks what debugfs shows of the infoframes that a lit connector
// sends.
func TestInfoframes(t *testing.T) {
	p, f := newBare(t, policy{attach: func(p *bare) {
		p.connector.AttachHDROutputMetadataProperty()
		p.connector.AttachColorspaceProperty(0)
		p.connector.AttachContentTypeProperty()
		p.connector.AttachBroadcastRGBProperty()
	}})
	frame := func(name string) []byte {
		for _, file := range f.driver.Device().DebugfsFiles() {
			if file.Path == p.connector.Name()+"/infoframes/"+name {
				return []byte(file.Show())
			}
		}
		t.Fatalf("no file %s", name)
		return nil
	}
	if got := frame("avi"); len(got) != 0 {
		t.Errorf("dark: %x", got)
	}
	f.enable()
	plain := []byte{0x82, 2, 13, 0x55, 0x12, 0x08, 16: 0}
	if got := frame("avi"); !bytes.Equal(got, plain) {
		t.Errorf("a mode that is none of CTA: %x, want %x", got, plain)
	}
	metadata := make([]byte, 32) // struct hdr_output_metadata
	metadata[4], metadata[6], metadata[29] = 2, 0x34, 0x12
	blob := f.createBlob(metadata)
	f.must(f.blocking(func() error {
		return f.atomic(uapi.ModeAtomicAllowModeset, 0,
			f.set(p.connector, "Colorspace", 9), f.set(p.connector, "content type", 4), f.set(p.connector, "Broadcast RGB", 1),
			f.set(p.connector, "HDR_OUTPUT_METADATA", uint64(blob)))
	}))
	wide := []byte{0x82, 2, 13, 0x7d, 0x12, 0xc8, 0xe8, 0, 0x30, 16: 0}
	if got := frame("avi"); !bytes.Equal(got, wide) {
		t.Errorf("a game in BT2020_RGB: %x, want %x", got, wide)
	}
	_, monitor := p.connector.Plugged()
	f.guarded(func(dev *drm.RegisteredDevice) error {
		p.connector.Hotplug(dev, uapi.ModeConnected, &kms.Monitor{With420: monitor.Modes})
		return nil
	})
	if got := frame("avi"); len(got) < 5 || got[4]>>5 != 3 {
		t.Errorf("a mode that needs YCbCr 4:2:0: %x", got)
	}
	hdr := []byte{0x87, 1, 26, 0x16, 2, 0, 0x34, 29: 0x12}
	if got := frame("hdr_drm"); !bytes.Equal(got, hdr) {
		t.Errorf("HDR metadata: %x, want %x", got, hdr)
	}
}
