package conformance

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// Needs is a set of things that a case needs of a device.
type Needs uint64

// The needs of cases. [Run] asks the device for each of them first.
const (
	// NeedMaster requires that the client can become DRM master.
	NeedMaster Needs = 1 << iota
	// NeedAdmin requires a client with CAP_SYS_ADMIN.
	NeedAdmin
	// NeedUnplug requires a target that can be unplugged and plugged in again.
	NeedUnplug
	// NeedRender requires a render node.
	NeedRender
	// NeedModeset requires a device with displays.
	NeedModeset
	// NeedDisplay requires a connected connector with a CRTC and a mode, and a
	// client that is master.
	NeedDisplay
	// NeedDumb requires dumb buffers.
	NeedDumb
	// NeedPrime requires export and import of dma-bufs.
	NeedPrime
	// NeedNames requires GEM names (FLINK).
	NeedNames
	// NeedSyncobj requires sync objects.
	NeedSyncobj
	// NeedTimeline requires sync objects with timelines.
	NeedTimeline
	// NeedAtomic requires atomic modesetting.
	NeedAtomic
	// NeedVblank requires a display with vblank counters.
	NeedVblank
	// NeedModifiers requires framebuffers with format modifiers.
	NeedModifiers
	// NeedCursor requires a display with a cursor plane.
	NeedCursor
	// NeedOverlay requires a display with an overlay plane.
	NeedOverlay
	// NeedGamma requires a display with a legacy gamma table.
	NeedGamma
	// NeedWriteback requires a writeback connector.
	NeedWriteback
	// NeedPlanar requires framebuffers with two planes (NV12).
	NeedPlanar
	// NeedClientName requires SET_CLIENT_NAME (Linux 6.13).
	NeedClientName
	// NeedCloseFB requires CLOSEFB (Linux 6.8).
	NeedCloseFB
	// NeedChangeHandle requires GEM_CHANGE_HANDLE (Linux 6.18).
	NeedChangeHandle
	// NeedEventfd requires SYNCOBJ_EVENTFD (Linux 6.6).
	NeedEventfd
	// NeedWaitDeadline requires deadlines of SYNCOBJ_WAIT (Linux 6.8).
	NeedWaitDeadline
	// NeedTimelineFiles requires sync files of points of timelines (Linux 6.16).
	NeedTimelineFiles
	// NeedTwoCRTCs requires at least two CRTCs.
	NeedTwoCRTCs
	// NeedTwoDisplays requires two connected connectors with a CRTC for each.
	NeedTwoDisplays
	// NeedOther requires another device to share buffers with.
	NeedOther
	// NeedForce requires a display whose connector can be forced in sysfs.
	NeedForce
	// NeedUevents requires uevents when the status of a connector changes.
	NeedUevents
	// NeedDebugfs requires a display whose connector can be forced in debugfs.
	NeedDebugfs
	// NeedEDID requires a display whose EDID can be replaced in debugfs.
	NeedEDID
	// NeedFbdev requires an fbdev device, such as /dev/fb0.
	NeedFbdev
	// NeedDisconnected requires a connector without a monitor.
	NeedDisconnected
	// NeedSurroundings requires files in sysfs and uevents.
	NeedSurroundings
	// NeedHub requires connectors that can be added and removed.
	NeedHub

	endOfNeeds
)

// A need has a question for the device. ask returns nil if the device meets it.
type need struct {
	name string
	ask  func(t *tester) error
}

var needs = map[Needs]need{
	NeedMaster: {"DRM master", func(t *tester) error {
		return t.Open().Ioctl(uapi.IoctlSetMaster, nil)
	}},
	NeedAdmin: {"CAP_SYS_ADMIN", func(t *tester) error {
		f := t.Open()
		if err := f.Ioctl(uapi.IoctlSetMaster, nil); err != nil {
			return err
		}
		return f.Ioctl(uapi.IoctlBlock, new(int32))
	}},
	NeedUnplug: {"unplug", func(t *tester) error {
		if t.target.Unplug == nil || t.target.Plug == nil {
			return errors.New(t.target.Why)
		}
		return nil
	}},
	NeedRender: {"a render node", func(t *tester) error {
		if _, render := t.nodes(); render == "" {
			return fmt.Errorf("no render node")
		}
		return nil
	}},
	NeedModeset: {"displays", func(t *tester) error {
		return t.Open().Ioctl(uapi.IoctlModeGetResources, new(uapi.ModeCardRes))
	}},
	NeedDisplay: {"a connected display", func(t *tester) error {
		_, err := t.Open().Client.Display()
		return err
	}},
	// Devices without displays have dumb buffers, but not the capability.
	NeedDumb: {"dumb buffers", func(t *tester) error {
		_, err := t.Open().CreateDumb(64, 64, 32)
		return err
	}},
	NeedPrime:     {"import and export of dma-bufs", asksCap(uapi.CapPrime, uapi.PrimeCapImport|uapi.PrimeCapExport)},
	NeedSyncobj:   {"sync objects", asksCap(uapi.CapSyncobj, 1)},
	NeedTimeline:  {"timelines of sync objects", asksCap(uapi.CapSyncobjTimeline, 1)},
	NeedModifiers: {"framebuffers with modifiers", asksCap(uapi.CapAddFB2Modifiers, 1)},
	NeedNames: {"GEM names", func(t *tester) error {
		f := t.Open()
		handle := t.NewDumb(f, 64, 64, 32).Handle
		return f.Ioctl(uapi.IoctlGEMFlink, &uapi.GEMFlink{Handle: handle})
	}},
	NeedAtomic: {"atomic modesetting", func(t *tester) error {
		return t.Open().SetClientCap(uapi.ClientCapAtomic, 1)
	}},
	NeedVblank: {"vblank counters", func(t *tester) error {
		s := t.Show()
		return s.Ioctl(uapi.IoctlCRTCGetSequence, &uapi.CRTCGetSequence{CRTCID: s.CRTC})
	}},
	NeedCursor: {"a cursor plane", func(t *tester) error {
		_, err := findPlane(t.Open(), uapi.PlaneTypeCursor)
		return err
	}},
	NeedOverlay: {"an overlay plane", func(t *tester) error {
		_, err := findPlane(t.Open(), uapi.PlaneTypeOverlay)
		return err
	}},
	NeedGamma: {"a gamma table", func(t *tester) error {
		f := t.Open()
		d, err := f.Client.Display()
		if err != nil {
			return err
		}
		crtc := uapi.ModeCRTC{CRTCID: d.CRTC}
		if err := f.Ioctl(uapi.IoctlModeGetCRTC, &crtc); err != nil {
			return err
		}
		if crtc.GammaSize == 0 {
			return fmt.Errorf("CRTC %d has gamma size 0", d.CRTC)
		}
		return nil
	}},
	NeedWriteback: {"a writeback connector", func(t *tester) error {
		f := t.Open()
		if err := f.SetClientCap(uapi.ClientCapAtomic, 1); err != nil {
			return err
		}
		if err := f.SetClientCap(uapi.ClientCapWritebackConnectors, 1); err != nil {
			return err
		}
		_, err := f.WritebackConnector()
		return err
	}},
	NeedPlanar: {"framebuffers in NV12", func(t *tester) error {
		f := t.Open()
		dumb := t.NewDumb(f, 64, 96, 8)
		arg := nv12(&dumb)
		return f.Ioctl(uapi.IoctlModeAddFB2, &arg)
	}},
	NeedClientName: {"client names", func(t *tester) error {
		return t.Open().Ioctl(uapi.IoctlSetClientName, new(uapi.SetClientName))
	}},
	NeedCloseFB: {"CLOSEFB", func(t *tester) error { return knows(t, uapi.IoctlModeCloseFB) }},
	NeedChangeHandle: {"GEM_CHANGE_HANDLE", func(t *tester) error {
		f := t.Open()
		// Linux 7.2.13 knows the request, and refuses it always.
		handle := t.NewDumb(f, 64, 64, 32).Handle
		return f.Ioctl(uapi.IoctlGEMChangeHandle, &uapi.GEMChangeHandle{Handle: handle, NewHandle: handle})
	}},
	NeedEventfd: {"eventfds of sync objects", func(t *tester) error { return knows(t, uapi.IoctlSyncobjEventfd) }},
	NeedWaitDeadline: {"deadlines of SYNCOBJ_WAIT", func(t *tester) error {
		f := t.Open()
		return f.wait(waitDeadline, 0, f.NewSyncobj(signaled))
	}},
	NeedTimelineFiles: {"sync files of points", func(t *tester) error {
		err := t.Open().Ioctl(uapi.IoctlSyncobjHandleToFD, &uapi.SyncobjHandle{Handle: noHandle, Flags: exportPoint, Point: 1})
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		return fmt.Errorf("of a nonexistent handle: %w", err)
	}},
	NeedTwoCRTCs: {"two CRTCs", func(t *tester) error {
		r, err := t.Open().Resources()
		if err == nil && len(r.CRTCs) < 2 {
			err = fmt.Errorf("only %d", len(r.CRTCs))
		}
		return err
	}},
	NeedTwoDisplays: {"two connected displays", func(t *tester) error {
		displays, err := t.Open().Displays()
		if err == nil && len(displays) < 2 {
			err = fmt.Errorf("only %d", len(displays))
		}
		return err
	}},
	NeedOther: {"a second device", func(t *tester) error {
		if t.target.Other == "" {
			return fmt.Errorf("not given (-other)")
		}
		value, err := t.OpenOther().Cap(uapi.CapPrime)
		if err == nil && value != uapi.PrimeCapImport|uapi.PrimeCapExport {
			err = fmt.Errorf("%s cannot import and export", t.target.Other)
		}
		return err
	}},
	NeedForce: {"a forced connector", func(t *tester) error {
		if t.target.Surroundings == nil {
			return errors.New("no files of sysfs")
		}
		return t.Open().MainSocket().Force("detect")
	}},
	// Drivers that do not poll their connectors need not announce a force.
	NeedUevents: {"uevents of a forced connector", func(t *tester) error {
		l, err := t.target.Surroundings.Listen()
		if err != nil {
			return err
		}
		defer l.Close()
		s := t.Open().MainSocket()
		if err := s.Force("off"); err != nil {
			return err
		}
		if keys, err := s.NextHotplug(l, timeout); keys == nil || err != nil {
			return cmp.Or(err, fmt.Errorf("none within %v", timeout))
		}
		return nil
	}},
	NeedDebugfs: {"connectors in debugfs", func(t *tester) error {
		if t.target.Surroundings == nil {
			return errors.New("no files of debugfs")
		}
		return t.Open().MainSocket().SetDebugfs("force", "unspecified")
	}},
	NeedEDID: {"a replaced EDID", func(t *tester) error {
		s := t.Open().MainSocket()
		edid := newEDID(t, "Question", 1280, 720)
		if err := s.Override(edid); err != nil {
			return err
		}
		if _, data := s.EDID(); data != edid {
			return fmt.Errorf("the property EDID of %s does not follow edid_override", s.name)
		}
		return nil
	}},
	NeedFbdev: {"an fbdev device", func(t *tester) error {
		if t.target.Fbdev == nil {
			return errors.New("none known")
		}
		path, err := t.target.Fbdev()
		if err != nil {
			return err
		}
		fd, err := t.target.System.Open(path, unix.O_RDWR)
		if err != nil {
			return fmt.Errorf("opening %s: %w", path, err)
		}
		return t.target.System.Close(fd)
	}},
	NeedDisconnected: {"a disconnected connector", func(t *tester) error {
		_, err := t.Open().disconnected()
		return err
	}},
	NeedSurroundings: {"files of sysfs and uevents", func(t *tester) error {
		if t.target.Surroundings == nil {
			return errors.New("none")
		}
		l, err := t.target.Surroundings.Listen()
		if err != nil {
			return err
		}
		return l.Close()
	}},
	NeedHub: {"connectors that come and go", func(t *tester) error {
		if t.target.AddConnector == nil || t.target.RemoveConnector == nil {
			return errors.New("no way to add one (-add-connector)")
		}
		return nil
	}},
}

// disconnected returns the first connector without a monitor.
func (f *file) disconnected() (id uint32, err error) {
	r, err := f.Resources()
	if err != nil {
		return 0, err
	}
	for _, id := range r.Connectors {
		if c, err := f.GetConnector(id); err != nil || c.Connection == uapi.ModeDisconnected {
			return id, err
		}
	}
	return 0, fmt.Errorf("none of %d", len(r.Connectors))
}

// includes are the needs that each need implies.
var includes = map[Needs]Needs{
	NeedAdmin:         NeedMaster,
	NeedTimeline:      NeedSyncobj,
	NeedDisplay:       NeedModeset | NeedMaster,
	NeedNames:         NeedDumb | NeedMaster,
	NeedAtomic:        NeedModeset,
	NeedVblank:        NeedDisplay | NeedDumb,
	NeedCursor:        NeedDisplay,
	NeedOverlay:       NeedDisplay,
	NeedGamma:         NeedDisplay,
	NeedWriteback:     NeedDisplay | NeedAtomic,
	NeedTwoCRTCs:      NeedModeset,
	NeedTwoDisplays:   NeedTwoCRTCs | NeedDisplay,
	NeedCloseFB:       NeedModeset,
	NeedChangeHandle:  NeedDumb | NeedPrime,
	NeedPlanar:        NeedModeset | NeedDumb,
	NeedEventfd:       NeedTimeline,
	NeedFbdev:         NeedModeset,
	NeedWaitDeadline:  NeedSyncobj,
	NeedTimelineFiles: NeedTimeline,
	NeedForce:         NeedDisplay,
	NeedUevents:       NeedForce,
	NeedDebugfs:       NeedDisplay,
	NeedEDID:          NeedDebugfs,
	NeedDisconnected:  NeedModeset,
	NeedHub:           NeedModeset | NeedMaster | NeedSurroundings,
}

// knows checks that the device knows a request: it reads the argument.
func knows(t *tester, cmd uint32) error {
	if err := t.Open().Ioctl(cmd, uintptr(t.BadAddr())); !errors.Is(err, unix.EFAULT) {
		return fmt.Errorf("%s: %w", uapi.IoctlName(cmd), err)
	}
	return nil
}

// asksCap returns a question for bits of a capability.
func asksCap(capability, bits uint64) func(t *tester) error {
	return func(t *tester) error {
		value, err := t.Open().Cap(capability)
		if err == nil && value&bits != bits {
			err = fmt.Errorf("capability %#x is %#x", capability, value)
		}
		return err
	}
}

// each calls f for each of the needs, in the order of declaration.
func (n Needs) each(f func(Needs)) {
	for ; n != 0; n &= n - 1 {
		f(1 << bits.TrailingZeros64(uint64(n)))
	}
}

// closure returns the needs with all that they include.
func (n Needs) closure() Needs {
	all := n
	n.each(func(one Needs) {
		if more := includes[one] &^ all; more != 0 {
			all |= more.closure()
		}
	})
	return all
}

func (n Needs) String() string {
	var names []string
	n.each(func(one Needs) { names = append(names, needs[one].name) })
	return strings.Join(names, ", ")
}
