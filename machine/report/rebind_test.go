package report

import (
	"runtime"
	"testing"
	"weak"

	"github.com/udrm/udrm/drm"
)

// TestRebind unbinds and binds the driver of a card many times, as a program can. The
// recorder keeps none of the devices that have gone, and reports each unplug.
func TestRebind(t *testing.T) {
	t.Parallel()
	m, c, recorder := recorded(t)
	var gone []weak.Pointer[drm.Device]
	for range 20 {
		gone = append(gone, weak.Make(c.Device()))
		if err := c.Unbind(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Bind(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, dev := range gone {
		for dev.Value() != nil { // for ever if something keeps it
			runtime.GC()
		}
	}
	unplugs := recorder.Report(m, false).Unplugs
	if len(unplugs) != len(gone) {
		t.Fatalf("%d unplugs are reported, want %d", len(unplugs), len(gone))
	}
	for i, u := range unplugs {
		if u.Card != "card0" || u.Drain < 0 || u.Total < u.Drain {
			t.Errorf("unplug %d: %+v", i, u)
		}
	}
}
