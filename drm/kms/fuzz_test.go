package kms_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// fuzzed are the requests that a fuzzer can send, by the first byte of each.
var fuzzed = []uint32{
	uapi.IoctlModeGetResources, uapi.IoctlModeGetConnector, uapi.IoctlModeGetEncoder, uapi.IoctlModeGetCRTC,
	uapi.IoctlModeGetPlaneResources, uapi.IoctlModeGetPlane,
	uapi.IoctlModeSetCRTC, uapi.IoctlModeSetPlane, uapi.IoctlModePageFlip, uapi.IoctlModeCursor, uapi.IoctlModeCursor2,
	uapi.IoctlModeGetGamma, uapi.IoctlModeSetGamma, uapi.IoctlModeAttachMode, uapi.IoctlModeDetachMode, uapi.IoctlModeAtomic,
	uapi.IoctlModeGetProperty, uapi.IoctlModeObjGetProperties, uapi.IoctlModeSetProperty, uapi.IoctlModeObjSetProperty,
	uapi.IoctlModeGetPropBlob, uapi.IoctlModeCreatePropBlob, uapi.IoctlModeDestroyPropBlob,
	uapi.IoctlModeAddFB, uapi.IoctlModeAddFB2, uapi.IoctlModeRmFB, uapi.IoctlModeCloseFB, uapi.IoctlModeGetFB, uapi.IoctlModeGetFB2,
	uapi.IoctlModeDirtyFB, uapi.IoctlWaitVblank, uapi.IoctlCRTCGetSequence, uapi.IoctlCRTCQueueSequence,
	uapi.IoctlModeCreateDumb, uapi.IoctlGetCap, uapi.IoctlSetClientCap,
}

// A fuzzScript has requests as bytes: for each the number of its command, then
// its argument. A script that ends early continues with zeros. A word
// fuzzPointer+i in an argument stands for the address of byte 16*i of the memory.
type fuzzScript []byte

const fuzzPointer = 0xf0f0f0f0f0f0f000

// take removes n bytes.
func (s *fuzzScript) take(n int) []byte {
	taken := make([]byte, n)
	*s = (*s)[copy(taken, *s):]
	return taken
}

func add[T any](s *fuzzScript, cmd uint32, arg T) {
	for i, c := range fuzzed {
		if c == cmd {
			*s = append(append(*s, byte(i)), structBytes(arg)...)
		}
	}
}

// fuzzSeeds returns scripts that mostly succeed, and a memory for each.
func fuzzSeeds(mode []byte) (scripts []fuzzScript, memories [][]byte) {
	var info [68]byte
	copy(info[:], mode)
	var all fuzzScript
	for _, ask := range []func(*fuzzScript){
		func(s *fuzzScript) {
			add(s, uapi.IoctlModeGetResources, uapi.ModeCardRes{CountCRTCs: 1, CRTCIDPtr: fuzzPointer, CountFBs: 3, FBIDPtr: fuzzPointer + 1})
			add(s, uapi.IoctlModeGetConnector, uapi.ModeGetConnector{ConnectorID: connectorID, CountProps: 4, PropsPtr: fuzzPointer, PropValuesPtr: fuzzPointer + 1})
			add(s, uapi.IoctlModeGetEncoder, uapi.ModeGetEncoder{EncoderID: encoderID})
			add(s, uapi.IoctlModeGetCRTC, uapi.ModeCRTC{CRTCID: crtcID})
			add(s, uapi.IoctlModeGetPlane, uapi.ModeGetPlane{PlaneID: primaryID, CountFormatTypes: 5, FormatTypePtr: fuzzPointer})
			add(s, uapi.IoctlModeGetProperty, uapi.ModeGetProperty{PropID: rotationID, CountValues: 6, ValuesPtr: fuzzPointer})
			add(s, uapi.IoctlModeObjGetProperties, uapi.ModeObjGetProperties{ObjID: crtcID, CountProps: 6, PropsPtr: fuzzPointer, PropValuesPtr: fuzzPointer + 2})
		},
		func(s *fuzzScript) {
			add(s, uapi.IoctlModeCreateDumb, uapi.ModeCreateDumb{Width: 64, Height: 64, BPP: 32})
			add(s, uapi.IoctlModeAddFB2, uapi.ModeFBCmd2{Width: 64, Height: 64, PixelFormat: uapi.FormatARGB8888, Handles: [4]uint32{2}, Pitches: [4]uint32{256}})
			add(s, uapi.IoctlModeAddFB, uapi.ModeFBCmd{Width: 64, Height: 64, BPP: 32, Depth: 24, Pitch: 256, Handle: 2})
			add(s, uapi.IoctlModeSetPlane, uapi.ModeSetPlane{PlaneID: cursorID, CRTCID: crtcID, FBID: 49, CRTCW: 64, CRTCH: 64, SrcW: 64 << 16, SrcH: 64 << 16})
			add(s, uapi.IoctlModeCursor2, uapi.ModeCursor2{CRTCID: crtcID, Flags: 3, Width: 64, Height: 64, Handle: 2})
			add(s, uapi.IoctlModeGetFB2, uapi.ModeFBCmd2{FBID: 47})
			add(s, uapi.IoctlModeRmFB, uint32(49))
			add(s, uapi.IoctlModeCloseFB, uapi.ModeCloseFB{FBID: 47})
		},
		func(s *fuzzScript) {
			add(s, uapi.IoctlModePageFlip, uapi.ModeCRTCPageFlip{CRTCID: crtcID, FBID: 47, Flags: 1, UserData: 1})
			add(s, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative|uapi.VblankEvent, 5, 1))
			add(s, uapi.IoctlWaitVblank, *waitArg(uapi.VblankRelative, 2, 1))
			add(s, uapi.IoctlCRTCQueueSequence, uapi.CRTCQueueSequence{CRTCID: crtcID, Flags: 1, Sequence: 1})
			add(s, uapi.IoctlModeSetCRTC, uapi.ModeCRTC{CRTCID: crtcID})
		},
		func(s *fuzzScript) {
			add(s, uapi.IoctlModeCreatePropBlob, uapi.ModeCreateBlob{Data: fuzzPointer, Length: 68})
			add(s, uapi.IoctlSetClientCap, uapi.SetClientCap{Capability: uapi.ClientCapAtomic, Value: 1})
			add(s, uapi.IoctlModeObjSetProperty, uapi.ModeObjSetProperty{ObjID: primaryID, PropID: rotationID, Value: 4})
			add(s, uapi.IoctlModeSetProperty, uapi.ModeConnectorSetProperty{ConnectorID: connectorID, PropID: dpmsID, Value: 3})
			add(s, uapi.IoctlModeAtomic, uapi.ModeAtomic{Flags: 0x400, CountObjs: 1, ObjsPtr: fuzzPointer + 8, CountPropsPtr: fuzzPointer + 9, PropsPtr: fuzzPointer + 10, PropValuesPtr: fuzzPointer + 11})
			add(s, uapi.IoctlModeDestroyPropBlob, uapi.ModeDestroyBlob{BlobID: 49})
			add(s, uapi.IoctlModeSetGamma, uapi.ModeCRTCLUT{CRTCID: crtcID, GammaSize: 256, Red: fuzzPointer, Green: fuzzPointer, Blue: fuzzPointer})
		},
	} {
		var script fuzzScript
		ask(&script)
		memory := make([]byte, 1024)
		copy(memory, info[:])
		copy(memory[8*16:], []byte{crtcID})
		copy(memory[9*16:], []byte{1})
		copy(memory[10*16:], []byte{activeID})
		scripts, memories = append(scripts, script), append(memories, memory)
		all = append(all, script...)
	}
	return append(scripts, all), append(memories, make([]byte, 4096))
}

// FuzzIoctls sends requests with garbage in them to an active display. No handler
// may panic, allocate a lot, or leave anything behind once its client is gone.
func FuzzIoctls(f *testing.F) {
	mode := uapi.ModeInfo{Clock: 65000, HDisplay: 1024, HSyncStart: 1048, HSyncEnd: 1184, HTotal: 1344,
		VDisplay: 768, VSyncStart: 771, VSyncEnd: 777, VTotal: 806}
	scripts, memories := fuzzSeeds(structBytes(mode))
	for i := range scripts {
		f.Add([]byte(scripts[i]), memories[i])
	}
	f.Fuzz(func(t *testing.T, script, memory []byte) {
		d := newFuzzDevice(t, newVKMS)
		enableDisplay(t, d.client, mode)
		runScript(t, d.client, script, memory)
		d.close()
		// What is shown may be left: mode and gamma as a blob each, a legacy
		// cursor, and a framebuffer that was closed, not removed.
		if n := d.driver.ModeConfig().Objects(); n > d.objects+4 {
			t.Errorf("%d objects are left behind", n-d.objects)
		}
		d.remove()
	})
}

// A fuzzDevice is the device of one run of a fuzzer. Its clock runs until the
// client closes.
type fuzzDevice struct {
	*testing.T
	driver  display
	client  *drmtest.Client
	objects int // of the display, before the client
	parent  *bus.Device
	stop    func()
}

func newFuzzDevice(t *testing.T, newDisplay func(*drm.Class, kms.Clock) display) *fuzzDevice {
	clock := new(kms.ManualClock)
	d := &fuzzDevice{T: t, driver: newDisplay(newClass(t), clock)}
	var err error
	if d.parent, err = bus.New("platform").Add("vkms"); err != nil {
		t.Fatal(err)
	}
	if err := d.parent.Bind(d.driver.BusDriver()); err != nil {
		t.Fatal(err)
	}
	d.objects = d.driver.ModeConfig().Objects()
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for clock.Step(ctx) == nil {
		}
	}()
	d.stop = func() { cancel(); <-stopped }
	if d.client, err = drmtest.OpenAs(d.driver.Device().Primary(), drmtest.Self()); err != nil {
		t.Fatal(err)
	}
	return d
}

// close closes the client's file, which must have been the last one.
func (d *fuzzDevice) close() {
	d.client.File.Close()
	d.stop()
	if n := d.driver.Device().Files(); n != 0 {
		d.Errorf("%d files are left behind", n)
	}
}

// remove unplugs the device, which must leave nothing behind.
func (d *fuzzDevice) remove() {
	if err := d.parent.Remove(context.Background()); err != nil {
		d.Error(err)
	}
	if n := d.driver.Buffers().Objects(); n != 0 {
		d.Errorf("%d buffers are left behind", n)
	}
	if n := d.driver.ModeConfig().Objects(); n != d.objects {
		d.Errorf("%d objects are left behind by the unplug", n-d.objects)
	}
}

// enableDisplay makes framebuffer 47 on handle 1 and shows it.
func enableDisplay(t *testing.T, c *drmtest.Client, mode uapi.ModeInfo) {
	setup := kmsclient.New(c.Process())
	fb, err := setup.NewFB(1024, 768, 32, uapi.FormatXRGB8888)
	if err == nil {
		err = setup.SetCRTCOf(crtcID, fb, mode, connectorID)
	}
	if err != nil || fb != 47 {
		t.Fatalf("showing framebuffer %d, want 47: %v", fb, err)
	}
}

// allocationBound limits the bytes that one request allocates: the largest blob
// and some more.
const allocationBound = 4 << 20

func runScript(t *testing.T, c *drmtest.Client, script fuzzScript, memory []byte) {
	nested := c.Put(memory)
	for range 32 {
		if len(script) == 0 {
			return
		}
		cmd := fuzzed[int(script.take(1)[0])%len(fuzzed)]
		arg := script.take(int(uapi.IOCSize(cmd)))
		for i := 0; i+8 <= len(arg); i += 8 {
			resolve(arg[i:i+8], nested)
		}
		addr := c.Put(arg)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c.File.Ioctl(context.Background(), c, cmd, addr)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > allocationBound {
			t.Errorf("%s allocated %d bytes", uapi.IoctlName(cmd), n)
		}
		c.Free(addr)
		c.File.Read(context.Background(), make([]byte, 4096), true)
	}
}

// resolve replaces a word that stands for an address.
func resolve(word []byte, nested uint64) {
	for i := 2; i < 8; i++ {
		if word[i] != 0xf0 {
			return
		}
	}
	if word[1] != 0xf0 {
		return
	}
	addr := nested + 16*uint64(word[0])
	for i := range word {
		word[i] = byte(addr >> (8 * i))
	}
}
