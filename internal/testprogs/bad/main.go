// Command bad sends a card what no client should: wrong pointers, unknown
// requests, wrong sizes, absurd dimensions. It compares each answer with the
// kernel's, prints the differences, and exits 0 when there are none.
//
//	bad /dev/dri/card0
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: bad CARD")
		os.Exit(2)
	}
	card, err := kmsclient.Open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "bad:", err)
		os.Exit(1)
	}
	differences := 0
	for _, c := range append(pointers(card), structs(card)...) {
		if c.got != c.want {
			differences++
			fmt.Printf("%s: %s, want %s\n", c.what, name(c.got), name(c.want))
		}
	}
	if differences != 0 {
		os.Exit(1)
	}
	fmt.Println("all as the kernel answers")
}

// An answer is what the card said to one call, and what the kernel says.
type answer struct {
	what      string
	got, want unix.Errno
}

func name(errno unix.Errno) string {
	if errno == 0 {
		return "success"
	}
	return unix.ErrnoName(errno)
}

// pointers are calls whose argument is no struct of the uAPI.
func pointers(card *kmsclient.Card) []answer {
	var answers []answer
	ask := func(what string, cmd uint32, addr uintptr, want unix.Errno) {
		answers = append(answers, answer{what, kmsclient.IoctlAt(card.FD, cmd, addr), want})
	}
	const nowhere, kernel = 0x1000, 0xffff_8000_0000_0000
	for _, cmd := range []uint32{uapi.IoctlVersion, uapi.IoctlGetCap, uapi.IoctlModeGetResources, uapi.IoctlModeAddFB2, uapi.IoctlModeCreateDumb} {
		ask(uapi.IoctlName(cmd)+" at no memory", cmd, nowhere, unix.EFAULT)
		ask(uapi.IoctlName(cmd)+" at NULL", cmd, 0, unix.EFAULT)
		ask(uapi.IoctlName(cmd)+" at the kernel's addresses", cmd, kernel, unix.EFAULT)
	}
	for _, nr := range []uint32{0x5f, 0x9f, 0xee, uapi.CommandBase} {
		ask(fmt.Sprintf("unknown number %#x", nr), uapi.IOWR(nr, 8), 0, unix.EINVAL)
	}
	for _, letter := range []uint32{'x', 'T' + 1, 0, 255} {
		ask(fmt.Sprintf("type %#x", letter), letter<<8|3<<30|8<<16, 0, unix.ENOTTY)
	}
	return answers
}

// structs are calls with well-placed structs of bad content.
func structs(card *kmsclient.Card) []answer {
	var answers []answer
	report := func(what string, err error, want unix.Errno) {
		answers = append(answers, answer{what, kmsclient.Errno(err), want})
	}

	// Sizes that differ from ours, in both directions.
	type short struct{ Capability uint64 }
	report("GET_CAP with half a struct", kmsclient.Ioctl(card, uapi.IOWR(uapi.IOCNr(uapi.IoctlGetCap), 8), &short{uapi.CapDumbBuffer}), 0)
	type long struct {
		uapi.GetCap
		More [64]uint64
	}
	big := long{GetCap: uapi.GetCap{Capability: uapi.CapDumbBuffer}}
	report("GET_CAP with a longer struct", kmsclient.Ioctl(card, uapi.IOWR(uapi.IOCNr(uapi.IoctlGetCap), 528), &big), 0)
	if big.Value != 1 {
		report("GET_CAP with a longer struct does not answer", nil, unix.EINVAL)
	}

	version := uapi.Version{NameLen: 64, Name: 0x1000}
	report("VERSION with a name at no memory", kmsclient.Ioctl(card, uapi.IoctlVersion, &version), unix.EFAULT)
	resources := uapi.ModeCardRes{CountCRTCs: 64, CRTCIDPtr: 0x1000}
	report("GETRESOURCES with ids at no memory", kmsclient.Ioctl(card, uapi.IoctlModeGetResources, &resources), unix.EFAULT)
	report("GET_CAP of nothing", kmsclient.Ioctl(card, uapi.IoctlGetCap, &uapi.GetCap{Capability: 1 << 40}), unix.EINVAL)

	for _, d := range []struct {
		width, height, bpp uint32
		want               unix.Errno
	}{
		{0, 0, 0, unix.EINVAL},
		{1 << 31, 1 << 31, 32, unix.EINVAL},
		{1<<32 - 1, 1<<32 - 1, 1<<32 - 1, unix.EINVAL},
		{64, 64, 0, unix.EINVAL},
	} {
		arg := uapi.ModeCreateDumb{Width: d.width, Height: d.height, BPP: d.bpp}
		report(fmt.Sprintf("CREATE_DUMB %dx%d@%d", d.width, d.height, d.bpp), kmsclient.Ioctl(card, uapi.IoctlModeCreateDumb, &arg), d.want)
	}

	dumb := uapi.ModeCreateDumb{Width: 64, Height: 64, BPP: 32}
	report("CREATE_DUMB", kmsclient.Ioctl(card, uapi.IoctlModeCreateDumb, &dumb), 0)
	fb := func(what string, change func(*uapi.ModeFBCmd2), want unix.Errno) {
		arg := uapi.ModeFBCmd2{Width: 64, Height: 64, PixelFormat: uapi.FormatXRGB8888, Handles: [4]uint32{dumb.Handle}, Pitches: [4]uint32{dumb.Pitch}}
		change(&arg)
		report("ADDFB2 "+what, kmsclient.Ioctl(card, uapi.IoctlModeAddFB2, &arg), want)
	}
	fb("as it should be", func(a *uapi.ModeFBCmd2) {}, 0)
	fb("of no width", func(a *uapi.ModeFBCmd2) { a.Width = 0 }, unix.EINVAL)
	fb("of absurd height", func(a *uapi.ModeFBCmd2) { a.Height = 1 << 30 }, unix.EINVAL)
	fb("beyond its buffer", func(a *uapi.ModeFBCmd2) { a.Height = 65 }, unix.EINVAL)
	fb("of too short a pitch", func(a *uapi.ModeFBCmd2) { a.Pitches[0] = 4 }, unix.EINVAL)
	fb("with an offset out of range", func(a *uapi.ModeFBCmd2) { a.Offsets[0] = 1<<32 - 1 }, unix.ERANGE)
	fb("of an unknown format", func(a *uapi.ModeFBCmd2) { a.PixelFormat = 0x21212121 }, unix.EINVAL)
	fb("with no handle", func(a *uapi.ModeFBCmd2) { a.Handles[0] = 0 }, unix.EINVAL)
	fb("with a handle of nothing", func(a *uapi.ModeFBCmd2) { a.Handles[0] = 4711 }, unix.ENOENT)
	fb("with unknown flags", func(a *uapi.ModeFBCmd2) { a.Flags = 1 << 31 }, unix.EINVAL)

	report("MAP_DUMB of nothing", kmsclient.Ioctl(card, uapi.IoctlModeMapDumb, &uapi.ModeMapDumb{Handle: 4711}), unix.ENOENT)
	report("SETCRTC of nothing", kmsclient.Ioctl(card, uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: 4711}), unix.ENOENT)
	report("PAGE_FLIP of nothing", kmsclient.Ioctl(card, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: 4711}), unix.ENOENT)
	report("RMFB of nothing", kmsclient.Ioctl(card, uapi.IoctlModeRmFB, &[]uint32{4711}[0]), unix.ENOENT)
	_, err := card.Map(1<<43, 4096)
	report("mmap of nothing", err, unix.EINVAL)
	return answers
}
