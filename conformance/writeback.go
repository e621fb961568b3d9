package conformance

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// A studio is a scene with a writeback connector.
type studio struct {
	*scene
	writeback uint32
	props     map[string]property
}

// Studio shows a scene, and finds a writeback connector.
func (t *tester) Studio() *studio {
	t.Helper()
	s := t.ShowScene()
	t.Must("SET_CLIENT_CAP WRITEBACK_CONNECTORS", s.SetClientCap(uapi.ClientCapWritebackConnectors, 1))
	c, err := s.WritebackConnector()
	t.Must("looking for a writeback connector", err)
	return &studio{s, c.ID, s.MustProperties(c.ID, uapi.ModeObjectConnector)}
}

func (s *studio) set(name string, value uint64) change {
	s.t.Helper()
	return s.change(s.writeback, s.props, name, value)
}

// formats returns the formats that the connector can write.
func (s *studio) formats() []uint32 {
	s.t.Helper()
	arg := uapi.ModeGetBlob{BlobID: uint32(s.props["WRITEBACK_PIXEL_FORMATS"].Value)}
	s.Must(uapi.IoctlModeGetPropBlob, &arg)
	formats := make([]uint32, arg.Length/4)
	arg.Data = addr(s.t, formats)
	s.Must(uapi.IoctlModeGetPropBlob, &arg)
	return formats
}

// writebackPicture checks that a writeback stores the picture, once.
func writebackPicture(t *tester) {
	s := t.Studio()
	format := s.formats()[0]
	for _, f := range s.formats() {
		if f == uapi.FormatXRGB8888 || f == uapi.FormatARGB8888 {
			format = f
		}
	}
	w, h := uint32(s.Mode.HDisplay), uint32(s.Mode.VDisplay)
	source, target := t.NewDumb(s.file, w, h, 32), t.NewDumb(s.file, w, h, 32)
	shown, got := fbOf(&source), fbOf(&target)
	got.PixelFormat = format
	s.Must(uapi.IoctlModeAddFB2, &shown)
	s.Must(uapi.IoctlModeAddFB2, &got)
	pixels, _ := mapDumb(s.file, &source)
	for i := 0; i+4 <= len(pixels); i += 4 {
		binary.LittleEndian.PutUint32(pixels[i:], uint32(i)*2654435761&0xffffff)
	}
	fd := []int32{77}
	changes := []change{
		s.plane("FB_ID", uint64(shown.FBID)), s.set("CRTC_ID", uint64(s.CRTC)),
		s.set("WRITEBACK_FB_ID", uint64(got.FBID)), s.set("WRITEBACK_OUT_FENCE_PTR", addr(t, fd)),
	}
	for _, name := range []string{"DEGAMMA_LUT", "CTM", "GAMMA_LUT"} { // from earlier clients
		if p, ok := s.crtcProps[name]; ok {
			changes = append(changes, change{s.CRTC, p.ID, 0})
		}
	}
	t.Must("MODE_ATOMIC with a writeback", s.atomic(allowModeset, changes...))
	if fd[0] < 0 {
		t.Fatalf("the fence of the writeback is descriptor %d", fd[0])
	}
	fence := t.File(int(fd[0]), "a fence")
	equal(t, "poll for the fence of the writeback", fence.Poll(unix.POLLIN, timeout), unix.POLLIN)
	written, _ := mapDumb(s.file, &target)
	if format == uapi.FormatXRGB8888 || format == uapi.FormatARGB8888 {
		wrong := 0
		for y := range h {
			for x := range w {
				a := binary.LittleEndian.Uint32(pixels[y*source.Pitch+4*x:]) & 0xffffff
				b := binary.LittleEndian.Uint32(written[y*target.Pitch+4*x:]) & 0xffffff
				if a != b {
					wrong++
				}
			}
		}
		equal(t, "wrong pixels in the stored picture", wrong, 0)
	}
	equal(t, "WRITEBACK_FB_ID after the commit", s.MustProperties(s.writeback, uapi.ModeObjectConnector)["WRITEBACK_FB_ID"].Value, 0)
	clear(written)
	t.Must("MODE_ATOMIC without a writeback", s.atomic(0, s.plane("FB_ID", uint64(shown.FBID))))
	equal(t, "a pixel of the target after a commit without a writeback", written[4], 0)
}

func writebackErrors(t *tester) {
	s := t.Studio()
	format := s.formats()[0]
	w, h := uint32(s.Mode.HDisplay), uint32(s.Mode.VDisplay)
	good := uint64(s.NewFBIn(format, w, h))
	small := uint64(s.NewFBIn(format, w/2, h/2))
	on := s.set("CRTC_ID", uint64(s.CRTC))
	for _, c := range []struct {
		what    string
		changes []change
	}{
		{"to a framebuffer smaller than the mode", []change{on, s.set("WRITEBACK_FB_ID", small)}},
		{"to a nonexistent framebuffer", []change{on, s.set("WRITEBACK_FB_ID", 0x7ffffff0)}},
		{"without a CRTC", []change{s.set("CRTC_ID", 0), s.set("WRITEBACK_FB_ID", good)}},
	} {
		t.Want("a writeback "+c.what, s.atomic(testOnly|allowModeset, c.changes...), unix.EINVAL)
	}
	t.Want("a writeback from an inactive CRTC", s.atomic(testOnly|allowModeset,
		on, s.crtc("ACTIVE", 0), s.set("WRITEBACK_FB_ID", good)), unix.EINVAL)
	fd := []int32{77}
	t.Want("a fence without a writeback", s.atomic(allowModeset,
		on, s.set("WRITEBACK_FB_ID", 0), s.set("WRITEBACK_OUT_FENCE_PTR", addr(t, fd))), unix.EINVAL)
	equal(t, "the descriptor of a fence without a writeback", fd[0], -1)
	t.Want("a writeback with the fence at a bad address", s.atomic(allowModeset,
		on, s.set("WRITEBACK_FB_ID", good), s.set("WRITEBACK_OUT_FENCE_PTR", t.BadAddr())), unix.EFAULT)
	t.Want("TEST_ONLY of a writeback", s.atomic(testOnly|allowModeset, on, s.set("WRITEBACK_FB_ID", good)))
}
