package report

import (
	"slices"
	"testing"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// TestStale uses objects after their end, and others that never existed.
func TestStale(t *testing.T) {
	t.Parallel()
	m, c, recorder := recorded(t)
	open := func() *kmsclient.Client { return kmsclient.New(drmtest.Open(t, c.Device().Primary()).Process()) }
	k := open()
	buffer, err := k.CreateDumb(64, 64, 32)
	if err != nil {
		t.Fatal(err)
	}
	fb, err := k.AddFB(&buffer, uapi.FormatXRGB8888)
	if err != nil {
		t.Fatal(err)
	}
	display, err := k.Display()
	if err != nil {
		t.Fatal(err)
	}
	_ = k.RemoveFB(fb + 100) // which never existed
	if got := recorder.Report(m, false).StaleObjects; len(got) != 0 {
		t.Errorf("the stale objects are %v", got)
	}
	if err := k.RemoveFB(fb); err != nil {
		t.Fatal(err)
	}
	_ = k.RemoveFB(fb)
	_ = k.SetCRTC(display, fb, display.Mode)
	_ = k.SetClientCap(uapi.ClientCapAtomic, 1)
	plane, err := k.FindPlane(display, uapi.PlaneTypePrimary)
	if err != nil {
		t.Fatal(err)
	}
	_ = k.Commit(0, kmsclient.Set{Object: plane, ObjectType: uapi.ModeObjectPlane, Property: "FB_ID", Value: uint64(fb)})
	if err := c.Unplug(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Plug(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = open().CloseHandle(buffer.Handle) // it has gone with its card
	want := []string{"GEM_CLOSE handle", "MODE_ATOMIC framebuffer", "MODE_RMFB framebuffer", "MODE_SETCRTC framebuffer"}
	var got []string
	for _, use := range recorder.Report(m, false).StaleObjects {
		got = append(got, use.Request+" "+use.Object[:len(use.Object)-len(" 41")])
		if use.Count != 1 {
			t.Errorf("%+v, want one use", use)
		}
	}
	if len(got) != 4 || !slices.IsSorted(got) {
		t.Errorf("the stale objects are %q, want %q", got, want)
	}
}
