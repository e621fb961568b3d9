// Command bad sends a card what no client should: bad pointers, unknown
// requests, wrong sizes, absurd dimensions. It compares each answer with the
// kernel's, prints the differences, and exits with status 0 if there are none.
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

// An answer is what the card answered to one call, and what the kernel does.
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

// pointers makes calls whose argument is no struct of the uAPI.
func pointers(card *kmsclient.Card) []answer {
	var answers []answer
	ask := func(what string, cmd uint32, addr uintptr, want unix.Errno) {
		answers = append(answers, answer{what, kmsclient.IoctlAt(card.FD, cmd, addr), want})
	}
	const nowhere, kernel = 0x1000, 0xffff_8000_0000_0000
	for _, cmd := range []uint32{uapi.IoctlVersion, uapi.IoctlGetCap, uapi.IoctlModeGetResources, uapi.IoctlModeAddFB2, uapi.IoctlModeCreateDumb} {
		ask(uapi.IoctlName(cmd)+" at an unmapped address", cmd, nowhere, unix.EFAULT)
		ask(uapi.IoctlName(cmd)+" at NULL", cmd, 0, unix.EFAULT)
		ask(uapi.IoctlName(cmd)+" at a kernel address", cmd, kernel, unix.EFAULT)
	}
	for _, nr := range []uint32{0x5f, 0x9f, 0xee, uapi.CommandBase} {
		ask(fmt.Sprintf("unknown number %#x", nr), uapi.IOWR(nr, 8), 0, unix.EINVAL)
	}
	for _, letter := range []uint32{'x', 'T' + 1, 0, 255} {
		ask(fmt.Sprintf("type %#x", letter), letter<<8|3<<30|8<<16, 0, unix.ENOTTY)
	}
	return answers
}

// structs makes calls with valid pointers to structs with invalid contents.
func structs(card *kmsclient.Card) []answer {
	var answers []answer
	report := func(what string, err error, want unix.Errno) {
		answers = append(answers, answer{what, kmsclient.Errno(err), want})
	}

	// Sizes that differ from the device's, in both directions.
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
	report("VERSION with a name at an unmapped address", kmsclient.Ioctl(card, uapi.IoctlVersion, &version), unix.EFAULT)
	resources := uapi.ModeCardRes{CountCRTCs: 64, CRTCIDPtr: 0x1000}
	report("GETRESOURCES with ids at an unmapped address", kmsclient.Ioctl(card, uapi.IoctlModeGetResources, &resources), unix.EFAULT)
	_, err := card.Cap(1 << 40)
	report("GET_CAP, unknown capability", err, unix.EINVAL)

	for _, d := range []struct {
		width, height, bpp uint32
		want               unix.Errno
	}{
		{0, 0, 0, unix.EINVAL},
		{1 << 31, 1 << 31, 32, unix.EINVAL},
		{1<<32 - 1, 1<<32 - 1, 1<<32 - 1, unix.EINVAL},
		{64, 64, 0, unix.EINVAL},
	} {
		_, err := card.CreateDumb(d.width, d.height, d.bpp)
		report(fmt.Sprintf("CREATE_DUMB %dx%d@%d", d.width, d.height, d.bpp), err, d.want)
	}

	dumb, err := card.CreateDumb(64, 64, 32)
	report("CREATE_DUMB", err, 0)
	fb := func(what string, change func(*uapi.ModeFBCmd2), want unix.Errno) {
		arg := kmsclient.FBOf(&dumb, uapi.FormatXRGB8888)
		change(&arg)
		report("ADDFB2 "+what, kmsclient.Ioctl(card, uapi.IoctlModeAddFB2, &arg), want)
	}
	fb("of the whole buffer", func(a *uapi.ModeFBCmd2) {}, 0)
	fb("of width 0", func(a *uapi.ModeFBCmd2) { a.Width = 0 }, unix.EINVAL)
	fb("of an absurd height", func(a *uapi.ModeFBCmd2) { a.Height = 1 << 30 }, unix.EINVAL)
	fb("larger than its buffer", func(a *uapi.ModeFBCmd2) { a.Height = 65 }, unix.EINVAL)
	fb("with a pitch shorter than a line", func(a *uapi.ModeFBCmd2) { a.Pitches[0] = 4 }, unix.EINVAL)
	fb("with an offset beyond 32 bits", func(a *uapi.ModeFBCmd2) { a.Offsets[0] = 1<<32 - 1 }, unix.ERANGE)
	fb("in an unknown format", func(a *uapi.ModeFBCmd2) { a.PixelFormat = 0x21212121 }, unix.EINVAL)
	fb("without a handle", func(a *uapi.ModeFBCmd2) { a.Handles[0] = 0 }, unix.EINVAL)
	fb("of a nonexistent handle", func(a *uapi.ModeFBCmd2) { a.Handles[0] = 4711 }, unix.ENOENT)
	fb("with unknown flags", func(a *uapi.ModeFBCmd2) { a.Flags = 1 << 31 }, unix.EINVAL)

	_, err = card.MapDumb(4711)
	report("MAP_DUMB of a nonexistent handle", err, unix.ENOENT)
	report("SETCRTC of a nonexistent CRTC", card.Disable(4711), unix.ENOENT)
	report("PAGE_FLIP on a nonexistent CRTC", kmsclient.Ioctl(card, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: 4711}), unix.ENOENT)
	report("RMFB of a nonexistent framebuffer", card.RemoveFB(4711), unix.ENOENT)
	_, err = card.Mmap(1<<43, 4096)
	report("mmap at an offset of no buffer", err, unix.EINVAL)
	return answers
}
