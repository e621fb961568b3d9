// Command gone makes every kind of system call on a card and prints what each
// returned. It then waits for a line on its input, and makes all of them
// again, so that a test can unplug the card in between. Calls have the names
// of the recording in cmd/udrm/testdata/oracle/unplug.tsv.
//
//	gone /dev/dri/card0
package main

import (
	"bufio"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gone CARD")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gone:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	c, err := newClient(path)
	if err != nil {
		return err
	}
	c.tryAll("before")
	fmt.Println("waiting")
	bufio.NewReader(os.Stdin).ReadString('\n')
	c.tryAll("after")
	return nil
}

// A client has one object of each kind.
type client struct {
	*kmsclient.Card
	display *kmsclient.Display
	plane   uint32
	buffer  *kmsclient.Buffer
	dmabuf  int32
	touched int // how many pages of the buffer, from its end on
}

func newClient(path string) (*client, error) {
	card, err := kmsclient.Open(path)
	if err != nil {
		return nil, err
	}
	c := &client{Card: card}
	// This makes all planes visible as well.
	if err := card.SetClientCap(uapi.ClientCapAtomic, 1); err != nil {
		return nil, err
	}
	if c.display, err = card.Display(); err != nil {
		return nil, err
	}
	if c.plane, err = card.FindPlane(c.display, uapi.PlaneTypePrimary); err != nil {
		return nil, err
	}
	mode := c.display.Mode
	if c.buffer, err = card.NewBuffer(int(mode.HDisplay), int(mode.VDisplay)); err != nil {
		return nil, err
	}
	if c.dmabuf, err = card.Export(c.buffer.Handle, uapi.Cloexec|uapi.RDWR); err != nil {
		return nil, err
	}
	return c, card.SetCRTC(c.display, c.buffer.FB, mode)
}

func (c *client) tryAll(when string) {
	for _, call := range c.calls() {
		result := "0"
		if err := call.try(); err != nil {
			result = "-1 " + errnoName(kmsclient.Errno(err))
		}
		fmt.Printf("%s\t%s\t%s\n", when, call.name, result)
	}
}

func errnoName(errno unix.Errno) string {
	if errno == unix.EOPNOTSUPP { // Linux has two names for it
		return "EOPNOTSUPP"
	}
	return unix.ErrnoName(errno)
}

type call struct {
	name string
	try  func() error
}

// send returns an ioctl with a fresh copy of arg for each call.
func send[T any](c *client, name string, cmd uint32, arg T) call {
	return call{name, func() error { return kmsclient.Ioctl(c.Card, cmd, &arg) }}
}

func (c *client) calls() []call {
	crtc := c.display.CRTC
	at := func(cmd uint32, addr uintptr) error {
		if errno := kmsclient.IoctlAt(c.FD, cmd, addr); errno != 0 {
			return errno
		}
		return nil
	}
	return []call{
		send(c, "VERSION", uapi.IoctlVersion, uapi.Version{}),
		send(c, "GET_UNIQUE", uapi.IoctlGetUnique, uapi.Unique{}),
		send(c, "GET_CAP", uapi.IoctlGetCap, uapi.GetCap{Capability: uapi.CapDumbBuffer}),
		send(c, "SET_CLIENT_CAP(UNIVERSAL_PLANES)", uapi.IoctlSetClientCap, uapi.SetClientCap{Capability: uapi.ClientCapUniversalPlanes, Value: 1}),
		send(c, "GET_MAGIC", uapi.IoctlGetMagic, uapi.Auth{}),
		send(c, "GET_CLIENT", uapi.IoctlGetClient, uapi.Client{}),
		send(c, "SET_VERSION", uapi.IoctlSetVersion, uapi.SetVersion{DiMajor: 1, DiMinor: 4, DdMajor: -1, DdMinor: -1}),
		send(c, "MODE_GETRESOURCES", uapi.IoctlModeGetResources, uapi.ModeCardRes{}),
		send(c, "MODE_GETCONNECTOR(probe)", uapi.IoctlModeGetConnector, uapi.ModeGetConnector{ConnectorID: c.display.ID}),
		{"MODE_GETCONNECTOR(no probe)", func() error { _, err := c.Display(); return err }},
		send(c, "MODE_GETENCODER", uapi.IoctlModeGetEncoder, uapi.ModeGetEncoder{EncoderID: c.display.Encoder}),
		send(c, "MODE_GETCRTC", uapi.IoctlModeGetCRTC, uapi.ModeCRTC{CRTCID: crtc}),
		send(c, "MODE_GETPLANERESOURCES", uapi.IoctlModeGetPlaneResources, uapi.ModeGetPlaneRes{}),
		send(c, "MODE_GETPLANE", uapi.IoctlModeGetPlane, uapi.ModeGetPlane{PlaneID: c.plane}),
		send(c, "MODE_OBJ_GETPROPERTIES", uapi.IoctlModeObjGetProperties, uapi.ModeObjGetProperties{ObjID: crtc, ObjType: uapi.ModeObjectCRTC}),
		send(c, "MODE_GETPROPERTY", uapi.IoctlModeGetProperty, uapi.ModeGetProperty{PropID: 2}),
		{"MODE_CREATE/DESTROYPROPBLOB", c.blob},
		{"MODE_CREATE_DUMB+DESTROY_DUMB", c.dumb},
		send(c, "MODE_MAP_DUMB", uapi.IoctlModeMapDumb, uapi.ModeMapDumb{Handle: c.buffer.Handle}),
		{"mmap (new)", func() error { return c.remap(false) }},
		{"mmap (new)+touch", func() error { return c.remap(true) }},
		{"old mapping: first touch of a page", c.touchNext},
		{"old mapping: touch every page", c.touch},
		{"MODE_ADDFB2+RMFB", c.framebuffer},
		send(c, "MODE_GETFB", uapi.IoctlModeGetFB, uapi.ModeFBCmd{FBID: c.buffer.FB}),
		send(c, "MODE_DIRTYFB", uapi.IoctlModeDirtyFB, uapi.ModeFBDirtyCmd{FBID: c.buffer.FB}),
		{"MODE_GETGAMMA", c.gamma},
		{"MODE_SETCRTC (same fb)", func() error { return c.SetCRTC(c.display, c.buffer.FB, c.display.Mode) }},
		{"MODE_PAGE_FLIP(EVENT)", c.flip},
		send(c, "MODE_ATOMIC(TEST_ONLY, empty)", uapi.IoctlModeAtomic, uapi.ModeAtomic{Flags: uapi.ModeAtomicTestOnly}),
		send(c, "WAIT_VBLANK(relative 0)", uapi.IoctlWaitVblank, uapi.WaitVblankRequest{Type: uapi.VblankRelative}),
		{"WAIT_VBLANK(relative 1, EVENT)", c.vblankEvent},
		send(c, "CRTC_GET_SEQUENCE", uapi.IoctlCRTCGetSequence, uapi.CRTCGetSequence{CRTCID: crtc}),
		send(c, "PRIME_HANDLE_TO_FD", uapi.IoctlPrimeHandleToFD, uapi.PrimeHandle{Handle: c.buffer.Handle, Flags: uapi.Cloexec}),
		send(c, "PRIME_FD_TO_HANDLE", uapi.IoctlPrimeFDToHandle, uapi.PrimeHandle{FD: c.dmabuf}),
		send(c, "SYNCOBJ_CREATE/DESTROY", uapi.IoctlSyncobjCreate, uapi.SyncobjCreate{}),
		send(c, "DROP_MASTER", uapi.IoctlDropMaster, struct{}{}),
		send(c, "SET_MASTER", uapi.IoctlSetMaster, struct{}{}),
		{"unknown DRM nr 0x5f", func() error { return at(uapi.IOWR(0x5f, 8), 0) }},
		{"GET_CAP(bad pointer)", func() error { return at(uapi.IoctlGetCap, 0x1000) }},
		{"ioctl of another type ('x')", func() error { return at('x'<<8, 0) }},
		{"poll(0) [0x10000|revents]", c.poll},
		{"read(len 0)", func() error { return c.readNothing(0) }},
		{"read(len 8, O_NONBLOCK)", func() error { return c.readNothing(8) }},
		{"write(1)", func() error { _, err := unix.Write(c.FD, []byte{0}); return err }},
		{"lseek", func() error { _, err := unix.Seek(c.FD, 0, 0); return err }},
		{"fstat(fd)", func() error { return unix.Fstat(c.FD, new(unix.Stat_t)) }},
		{"stat(path)", func() error { return unix.Stat(c.Path, new(unix.Stat_t)) }},
		{"open(path)", func() error { return openClose(c.Path) }},
		{"open(/proc/self/fd/N)", func() error { return openClose(fmt.Sprintf("/proc/self/fd/%d", c.FD)) }},
		send(c, "MODE_SETCRTC (off)", uapi.IoctlModeSetCRTC, uapi.ModeCRTC{CRTCID: crtc}),
	}
}
