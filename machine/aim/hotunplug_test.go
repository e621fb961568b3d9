package aim_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/aim"
	"github.com/udrm/udrm/machine/config"
)

// Mmap maps a buffer, and keeps the answer.
func (c *client) Mmap(offset uint64, length int) ([]byte, error) {
	mapping, err := c.File.Mmap(offset, length)
	c.answers = append(c.answers, answer{"mmap", err})
	return mapping, err
}

// A flow is the requests of a kind of client. It ends at the first error.
type flow struct {
	name string
	run  func(*client) error
}

var flows = []flow{{"client", (*client).show}, {"modetest", (*client).look}, {"kmscube", (*client).render}}

// steps calls functions until one fails.
func steps(list ...func() error) error {
	for _, do := range list {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// look sends what modetest sends: it looks at all objects and flips.
func (c *client) look() error {
	k := kmsclient.New(c)
	if _, err := k.Driver(); err != nil {
		return err
	}
	if err := k.SetClientCap(uapi.ClientCapUniversalPlanes, 1); err != nil {
		return err
	}
	resources, err := k.Resources()
	if err != nil {
		return err
	}
	display, err := k.Display()
	if err != nil {
		return err
	}
	plane, err := k.FindPlane(display, uapi.PlaneTypePrimary)
	if err != nil {
		return err
	}
	properties, err := k.Properties(plane, uapi.ModeObjectPlane)
	if err != nil {
		return err
	}
	if formats, ok := properties.Get("IN_FORMATS"); ok {
		if _, err := k.GetBlob(uint32(formats.Value)); err != nil {
			return err
		}
	}
	width, height := uint32(display.Mode.HDisplay), uint32(display.Mode.VDisplay)
	buffer, err := k.CreateDumb(width, height, 32)
	if err != nil {
		return err
	}
	offset, err := k.MapDumb(buffer.Handle)
	if err != nil {
		return err
	}
	mapping, err := c.Mmap(offset, int(buffer.Size))
	if err != nil {
		return err
	}
	defer unix.Munmap(mapping)
	fb, err := k.AddFB(&buffer, uapi.FormatXRGB8888)
	if err != nil {
		return err
	}
	sequence := uapi.CRTCGetSequence{CRTCID: display.CRTC}
	queue := uapi.CRTCQueueSequence{CRTCID: display.CRTC, Flags: uapi.CRTCSequenceRelative, Sequence: 1}
	ramp := make([]uint16, 256)
	return steps(
		func() error { _, err := k.GetCRTC(resources.CRTCs[0]); return err },
		func() error { return k.SetCRTC(display, fb, display.Mode) },
		func() error { return k.PageFlip(display.CRTC, fb, 1) },
		func() error { return waitVblank(k) },
		func() error { return k.Gamma(display.CRTC, ramp, ramp, ramp) },
		func() error { return kmsclient.Ioctl(k, uapi.IoctlCRTCGetSequence, &sequence) },
		func() error { return kmsclient.Ioctl(k, uapi.IoctlCRTCQueueSequence, &queue) },
		func() error { return k.RemoveFB(fb) },
		func() error { return k.DestroyDumb(buffer.Handle) },
	)
}

// render sends what kmscube sends: atomic commits that do not block.
func (c *client) render() error {
	k := kmsclient.New(c)
	if err := k.SetClientCap(uapi.ClientCapAtomic, 1); err != nil {
		return err
	}
	display, err := k.Display()
	if err != nil {
		return err
	}
	plane, err := k.FindPlane(display, uapi.PlaneTypePrimary)
	if err != nil {
		return err
	}
	buffer, err := k.CreateDumb(uint32(display.Mode.HDisplay), uint32(display.Mode.VDisplay), 32)
	if err != nil {
		return err
	}
	fd, err := k.Export(buffer.Handle, uapi.Cloexec)
	if err != nil {
		return err
	}
	defer drmtest.CloseFD(fd)
	handle, err := k.Import(fd)
	if err != nil {
		return err
	}
	fb, err := k.AddFB(&buffer, uapi.FormatXRGB8888)
	if err != nil {
		return err
	}
	blob, err := k.CreateModeBlob(&display.Mode)
	if err != nil {
		return err
	}
	if err := k.SetCRTC(display, fb, display.Mode); err != nil {
		return err
	}
	for range 3 {
		if err := flipWith(k, plane, fb, uapi.ModeAtomicNonblock|uapi.ModePageFlipEvent); err != nil {
			return err
		}
		if err := waitVblank(k); err != nil {
			return err
		}
	}
	return steps(
		func() error { return flipWith(k, plane, fb, uapi.ModeAtomicTestOnly) },
		func() error { return k.RemoveFB(fb) },
		func() error {
			return kmsclient.Ioctl(k, uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: blob})
		},
		func() error { return k.CloseHandle(handle) },
	)
}

// TestUnplugAtEachPoint unplugs the card at each point of each request of the
// clients, and compares the answers with the table of docs/hot-unplug.md.
func TestUnplugAtEachPoint(t *testing.T) {
	t.Parallel()
	const file = "../../docs/hot-unplug.md"
	document, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := make(map[string]*[5]outcome)
	points := 0
	t.Run("flows", func(t *testing.T) {
		for _, f := range flows {
			plain := newClient(t, card(t, newFastMachine(t), "card0"))
			if err := f.run(plain); err != nil {
				t.Fatalf("%s: %v", f.name, err)
			}
			points += 4 * len(plain.answers)
			count := make(map[string]int)
			for at, a := range plain.answers {
				count[a.request]++
				rules := fmt.Sprintf("%s#%d", a.request, count[a.request])
				t.Run(f.name+"/"+rules, func(t *testing.T) {
					t.Parallel()
					m := newFastMachine(t)
					for point := aim.Before; point <= aim.After; point++ {
						if point != aim.Before {
							if err := card(t, m, "card0").Plug(t.Context()); err != nil {
								t.Fatal(err)
							}
						}
						got, later := unplugAt(t, m, f, fmt.Sprintf("%s:%v:unplug", rules, point), plain.answers[:at+1])
						mu.Lock()
						row := seen[a.request]
						if row == nil {
							row = new([5]outcome)
							seen[a.request] = row
						}
						row[point].add(got)
						row[4].add(later)
						mu.Unlock()
					}
				})
			}
		}
	})
	if points < 200 {
		t.Errorf("the clients have only %d points", points)
	}
	var table strings.Builder
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		fmt.Fprintf(&table, "| %s |", name)
		for _, o := range seen[name] {
			fmt.Fprintf(&table, " %s |", o)
		}
		table.WriteString("\n")
	}
	_, want, _ := strings.Cut(string(document), "| request | before | entered | handled | after | later |\n|---|---|---|---|---|---|\n")
	if want != table.String() && !t.Failed() {
		t.Errorf("the outcomes differ from %s, which says\n%swant\n%s", file, want, &table)
	}
}

// An outcome is an answer, or several that were seen.
type outcome string

func (o *outcome) add(err error) {
	name := outcome("ok")
	if err != nil {
		name = outcome(unix.ErrnoName(drm.Errno(err)))
	}
	if !slices.Contains(strings.Split(string(*o), " or "), string(name)) {
		if *o != "" {
			*o += " or "
		}
		*o += name
	}
}

func newFastMachine(t *testing.T) *machine.Machine {
	t.Helper()
	return newMachineOf(t, machine.ClockFast, config.DefaultCard())
}

// unplugAt runs a client on a machine whose card was just plugged, with a rule. It checks that the client
// sends the requests of plain and gets their answers, but for the last one. It
// returns the answer to that one, and the answer to the next request.
func unplugAt(t *testing.T, m *machine.Machine, f flow, text string, plain []answer) (got, later error) {
	t.Helper()
	c := card(t, m, "card0")
	dev := c.Device()
	trigger := attach(t, m, text)
	client := newClient(t, c)
	_ = f.run(client)
	if err := trigger.Wait(t.Context()); err != nil {
		t.Errorf("%s: %v", text, err)
	}
	if err := trigger.Close(); err != nil || trigger.Fired() != 1 {
		t.Errorf("%s: fired %d times, %v", text, trigger.Fired(), err)
	}
	last := len(plain) - 1
	if len(client.answers) < len(plain) {
		t.Fatalf("%s: the client has sent %d requests", text, len(client.answers))
	}
	for i, a := range client.answers[:last] {
		if a.request != plain[i].request || drm.Errno(a.err) != drm.Errno(plain[i].err) {
			t.Errorf("%s: request %d is %s: %v; want %s: %v", text, i, a.request, a.err, plain[i].request, plain[i].err)
		}
	}
	if c.Plugged() || dev.State() < drm.Drained {
		t.Errorf("%s: the card is %v", text, dev.State())
	}
	if later = kmsclient.Ioctl(client, uapi.IoctlGetCap, &uapi.GetCap{Capability: uapi.CapDumbBuffer}); later == nil {
		later = errors.New("a request after the unplug succeeded")
	}
	return client.answers[last].err, later
}

// flipWith shows a framebuffer with MODE_ATOMIC and the flags.
func flipWith(k *kmsclient.Client, plane, fb, flags uint32) error {
	return k.Commit(flags, kmsclient.Set{Object: plane, ObjectType: uapi.ModeObjectPlane, Property: "FB_ID", Value: uint64(fb)})
}

// waitVblank waits for the next vblank.
func waitVblank(k *kmsclient.Client) error {
	return kmsclient.Ioctl(k, uapi.IoctlWaitVblank, &uapi.WaitVblankReply{Type: uapi.VblankRelative, Sequence: 1})
}
