package report

import (
	"testing"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// TestUnknownRequests sends far more different requests than there are, to a card and
// after its unplug. The report has a bounded number of them and counts each.
func TestUnknownRequests(t *testing.T) {
	t.Parallel()
	m, c, recorder := recorded(t)
	const sent, unknown = 5000, 0x9f // a number that no request of the core or the driver has
	if uapi.IoctlName(uapi.IO(unknown)) != "" {
		t.Fatalf("request %#x has a name", unknown)
	}
	process := drmtest.Open(t, c.Device().Primary()).Process()
	send := func() {
		for size := range uint32(sent) {
			if err := process.Ioctl(uapi.IO(unknown)|size<<16, 0); err == nil {
				t.Fatalf("a request without a name, of size %d, succeeds", size)
			}
		}
	}
	check := func(what string, list []Request) {
		total, names := uint64(0), 0
		for _, r := range list {
			if names++; r.Name == "other requests" || r.Name[:2] == "0x" {
				total += r.Count
			}
		}
		if total != sent || names > maxUnknown+100 {
			t.Errorf("%s: %d requests with %d names, want %d and few names", what, total, names, sent)
		}
	}
	send()
	check("while it is plugged", recorder.Report(m, false).Requests)
	if err := c.Unplug(t.Context()); err != nil {
		t.Fatal(err)
	}
	send()
	check("after the unplug", recorder.Report(m, false).AfterUnplug)
}
