package trace_test

import (
	"testing"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// BenchmarkRequests measures traced requests of a client in this process, with
// the time of decoding and writing them. Command bench of this module compares
// requests of another process with and without a trace.
func BenchmarkRequests(b *testing.B) {
	for _, r := range []struct {
		name string
		send func(*kmsclient.Client, *kmsclient.Display) error
	}{
		{"GET_CAP", func(c *kmsclient.Client, _ *kmsclient.Display) error { _, err := c.Cap(uapi.CapDumbBuffer); return err }},
		{"GETRESOURCES", func(c *kmsclient.Client, _ *kmsclient.Display) error { _, err := c.Resources(); return err }},
		{"OBJ_GETPROPERTIES", func(c *kmsclient.Client, d *kmsclient.Display) error {
			_, err := c.Properties(d.CRTC, uapi.ModeObjectCRTC)
			return err
		}},
		{"GETCONNECTOR", func(c *kmsclient.Client, d *kmsclient.Display) error { _, err := c.GetConnector(d.ID); return err }},
	} {
		b.Run(r.name, func(b *testing.B) {
			f := newFixture(b)
			display, err := f.Display()
			f.must(err)
			b.ReportAllocs()
			for b.Loop() {
				f.must(r.send(f.Client, display))
			}
			b.StopTimer()
			f.detach()
			f.must(f.recorder.Close())
		})
	}
}
