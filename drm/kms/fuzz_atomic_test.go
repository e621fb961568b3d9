package kms_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// FuzzAtomic makes random changes to a display with scaling, zpos, alpha and a
// driver's own property and checks. A request that fails, and a test, must leave
// the state as it was. The last state must make a picture, and the client must
// leave nothing behind.
func FuzzAtomic(f *testing.F) {
	for seed := range uint64(8) {
		script := make([]byte, 600)
		random := rand.New(rand.NewPCG(seed, seed))
		for i := range script {
			script[i] = byte(random.Uint32())
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		d := newFuzzDevice(t, func(class *drm.Class, clock kms.Clock) display { return displays["panel"](class, clock) })
		c := newChanger(t, d)
		for left := fuzzScript(script[:min(len(script), 2000)]); len(left) > 0; {
			c.change(&left)
		}
		crtc := c.m.CRTCs()[0]
		if _, err := c.m.Screenshot(crtc); err != nil && c.m.State().CRTC(crtc).Active {
			t.Errorf("no picture: %v", err)
		}
		d.close()
		d.remove()
	})
}

// A changer is a client that makes random changes.
type changer struct {
	*fuzzDevice
	m       *kms.ModeConfig
	objects []kms.Object
	ids     [][]uint32 // of the properties of each object
	// Values that make sense now and then: ids of framebuffers, objects and
	// blobs, and sizes.
	values []uint64
}

func newChanger(t *testing.T, d *fuzzDevice) *changer {
	c := &changer{fuzzDevice: d, m: d.driver.ModeConfig()}
	client := kmsclient.New(d.client.Process())
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(client.SetClientCap(uapi.ClientCapAtomic, 1))
	for _, p := range c.m.Planes() {
		c.objects = append(c.objects, p)
	}
	c.objects = append(c.objects, c.m.CRTCs()[0], c.m.Connectors()[0])
	for _, format := range []uint32{uapi.FormatXRGB8888, uapi.FormatARGB8888} {
		for _, size := range []uint32{64, 256} {
			fb, err := client.NewFB(size, size, 32, format)
			must(err)
			c.values = append(c.values, uint64(fb), uint64(size), uint64(size)<<16)
		}
	}
	for _, o := range c.objects {
		list, err := client.Properties(o.ID(), uapi.ModeObjectAny)
		must(err)
		var ids []uint32
		for _, p := range list {
			ids = append(ids, p.ID)
		}
		c.ids = append(c.ids, ids)
	}
	modes := mode.WithoutEDID(640, 480)
	info := modes[0].Info()
	blob, err := client.CreateModeBlob(&info)
	must(err)
	for _, o := range c.objects {
		c.values = append(c.values, uint64(o.ID()))
	}
	c.values = append(c.values, uint64(blob), 0, 0, 1, 2, 1<<32-1, 0x8000, 0xffff)

	screen, err := client.NewFB(1024, 768, 32, uapi.FormatXRGB8888)
	must(err)
	display, err := client.Display()
	must(err)
	must(client.SetCRTC(display, screen, display.Mode))
	return c
}

// change makes one request of up to four properties.
func (c *changer) change(s *fuzzScript) {
	const flags = uapi.ModeAtomicTestOnly | uapi.ModeAtomicNonblock | uapi.ModeAtomicAllowModeset
	head := s.take(2)
	request := uint32(head[0])<<8&flags | uint32(head[0])&1*uapi.ModePageFlipAsync | uint32(head[0])>>1&1*uapi.ModePageFlipEvent
	var objects, counts, properties []uint32
	var values []uint64
	for range 1 + head[1]%4 {
		b := s.take(3)
		o := int(b[0]) % len(c.objects)
		value := c.values[int(b[2])%len(c.values)]
		if b[2] >= 240 {
			value = binary.LittleEndian.Uint64(s.take(8))
		}
		objects, counts = append(objects, c.objects[o].ID()), append(counts, 1)
		properties, values = append(properties, c.ids[o][int(b[1])%len(c.ids[o])]), append(values, value)
	}
	before := c.m.State()
	err := drmtest.Ioctl(c.client, uapi.IoctlModeAtomic, &uapi.ModeAtomic{
		Flags: request, CountObjs: uint32(len(objects)), ObjsPtr: drmtest.PutSlice(c.client.Arena, objects),
		CountPropsPtr: drmtest.PutSlice(c.client.Arena, counts), PropsPtr: drmtest.PutSlice(c.client.Arena, properties),
		PropValuesPtr: drmtest.PutSlice(c.client.Arena, values),
	})
	after := c.m.State()
	if changed := before != after; changed && (err != nil || request&uapi.ModeAtomicTestOnly != 0) {
		c.Errorf("ATOMIC with flags %#x of objects %v, properties %v, values %#x: %v, but the state has changed",
			request, objects, properties, values, err)
	}
	c.checkState(after)
}

// checkState checks what every state promises.
func (c *changer) checkState(s *kms.State) {
	seen := make(map[int]bool)
	for _, p := range c.m.Planes() {
		ps := s.Plane(p)
		if (ps.FB == nil) != (ps.CRTC == nil) {
			c.Errorf("plane %d has a framebuffer or a CRTC, but not both", p.ID())
		}
		if ps.CRTC != nil && seen[ps.NormalizedZpos] {
			c.Errorf("two planes have the normalized zpos %d", ps.NormalizedZpos)
		}
		seen[ps.NormalizedZpos] = seen[ps.NormalizedZpos] || ps.CRTC != nil
	}
}
