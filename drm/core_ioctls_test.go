package drm_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

func TestVersion(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	c := drmtest.Open(t, toy.dev.Primary())
	for _, room := range []int{0, 1, 3, 100} {
		name, date, desc := c.Put(make([]byte, room)), c.Put(make([]byte, room)), c.Put(make([]byte, room))
		arg := uapi.Version{Name: name, NameLen: uint64(room), Date: date, DateLen: uint64(room), Desc: desc, DescLen: uint64(room)}
		if err := drmtest.Ioctl(c, uapi.IoctlVersion, &arg); err != nil {
			t.Fatal(err)
		}
		want := uapi.Version{VersionMajor: 3, VersionMinor: 2, VersionPatchlevel: 1,
			Name: name, NameLen: 3, Date: date, DateLen: 8, Desc: desc, DescLen: 14}
		if arg != want {
			t.Errorf("with room for %d: %+v, want %+v", room, arg, want)
		}
		for addr, value := range map[uint64]string{name: "toy", date: "20261122", desc: "Driver of toys"} {
			got := make([]byte, min(room, len(value)))
			if err := c.CopyFromUser(got, addr); err != nil || string(got) != value[:len(got)] {
				t.Errorf("with room for %d: %q, %v, want %q", room, got, err, value)
			}
		}
	}
	arg := uapi.Version{NameLen: math.MaxUint64, DateLen: math.MaxUint64, DescLen: math.MaxUint64}
	if err := drmtest.Ioctl(c, uapi.IoctlVersion, &arg); err != nil || arg.DescLen != 14 {
		t.Errorf("without buffers: %v, %+v", err, arg)
	}
	arg = uapi.Version{Name: 8, NameLen: 3}
	expectErr(t, "VERSION with a bad buffer", drmtest.Ioctl(c, uapi.IoctlVersion, &arg), unix.EFAULT)
	if arg.NameLen != 3 || arg.VersionMajor != 3 {
		t.Errorf("what was answered before the fault is not written: %+v", arg)
	}
}

// GET_UNIQUE returns nothing until the master has sent SET_VERSION: libdrm
// relies on it when it looks for a card by name.
func TestSetVersionAndGetUnique(t *testing.T) {
	for _, tc := range []struct {
		di, dd [2]int32
		want   unix.Errno
		unique string
	}{
		{[2]int32{-1, -1}, [2]int32{-1, -1}, 0, ""},
		{[2]int32{-1, 7}, [2]int32{-1, 7}, 0, ""},
		{[2]int32{1, 0}, [2]int32{-1, 0}, 0, ""},
		{[2]int32{1, 1}, [2]int32{-1, 0}, 0, "robot"},
		{[2]int32{1, 4}, [2]int32{-1, 0}, 0, "robot"},
		{[2]int32{1, 5}, [2]int32{-1, 0}, unix.EINVAL, ""},
		{[2]int32{2, 0}, [2]int32{-1, 0}, unix.EINVAL, ""},
		{[2]int32{0, 0}, [2]int32{-1, 0}, unix.EINVAL, ""},
		{[2]int32{1, -1}, [2]int32{-1, 0}, unix.EINVAL, ""},
		{[2]int32{-1, 0}, [2]int32{3, 0}, 0, ""},
		{[2]int32{-1, 0}, [2]int32{3, 2}, 0, ""},
		{[2]int32{-1, 0}, [2]int32{3, 3}, unix.EINVAL, ""},
		{[2]int32{-1, 0}, [2]int32{3, -1}, unix.EINVAL, ""},
		{[2]int32{-1, 0}, [2]int32{4, 0}, unix.EINVAL, ""},
		{[2]int32{1, 4}, [2]int32{4, 0}, unix.EINVAL, "robot"}, // the bus id is set all the same
	} {
		toy := newToy(t, &drm.Driver{})
		c := drmtest.Open(t, toy.dev.Primary())
		arg := uapi.SetVersion{DiMajor: tc.di[0], DiMinor: tc.di[1], DdMajor: tc.dd[0], DdMinor: tc.dd[1]}
		what := fmt.Sprintf("SET_VERSION %+v", arg)
		expectErr(t, what, drmtest.Ioctl(c, uapi.IoctlSetVersion, &arg), tc.want)
		if arg.DiMajor != 1 || arg.DiMinor != 4 || arg.DdMajor != 3 || arg.DdMinor != 2 {
			t.Errorf("%s answers %+v, want the versions that we have", what, arg)
		}
		for _, room := range []int{0, len("robot") - 1, len("robot"), 100} {
			addr := c.Put(make([]byte, max(room, 1)))
			unique := uapi.Unique{Unique: addr, UniqueLen: uint64(room)}
			if err := drmtest.Ioctl(c, uapi.IoctlGetUnique, &unique); err != nil {
				t.Fatal(err)
			}
			want := tc.unique
			if room < len(want) {
				want = "" // all or nothing
			}
			got := make([]byte, max(room, 1))
			if err := c.CopyFromUser(got, addr); err != nil {
				t.Fatal(err)
			}
			if unique.UniqueLen != uint64(len(tc.unique)) || strings.TrimRight(string(got), "\x00") != want {
				t.Errorf("%s: GET_UNIQUE with room for %d: %q of %d bytes, want %q", what, room, got, unique.UniqueLen, want)
			}
		}
		bad := uapi.Unique{Unique: 8, UniqueLen: 100}
		err := drmtest.Ioctl(c, uapi.IoctlGetUnique, &bad)
		if tc.unique == "" {
			expectErr(t, "GET_UNIQUE of nothing", err, 0)
		} else if expectErr(t, "GET_UNIQUE with a bad buffer", err, unix.EFAULT); bad.UniqueLen != 100 {
			t.Errorf("after EFAULT the length is %d", bad.UniqueLen)
		}
	}
}

func TestGetClientAndStats(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	openAs(t, toy.dev.Primary(), other) // the master
	c := openAs(t, toy.dev.Primary(), user)
	for _, tc := range []struct {
		c    *drmtest.Client
		as   drm.Client
		auth int32
	}{{c, user, 0}, {c, root, 0}, {openAs(t, toy.dev.Primary(), root), user, 1}} {
		arg := uapi.Client{Magic: 1, Iocs: 1}
		caller := &drmtest.Client{Arena: tc.c.Arena, File: tc.c.File, As: tc.as}
		if err := drmtest.Ioctl(caller, uapi.IoctlGetClient, &arg); err != nil {
			t.Fatal(err)
		}
		if want := (uapi.Client{Auth: tc.auth, PID: uint64(tc.as.PID), UID: 65534}); arg != want {
			t.Errorf("GET_CLIENT by %s: %+v, want %+v", tc.as.Comm, arg, want)
		}
	}
	for _, idx := range []int32{1, -1} {
		expectErr(t, "GET_CLIENT of another", drmtest.Ioctl(c, uapi.IoctlGetClient, &uapi.Client{Idx: idx}), unix.EINVAL)
	}
	stats := uapi.Stats{Count: 3}
	if err := drmtest.Ioctl(c, uapi.IoctlGetStats, &stats); err != nil || stats != (uapi.Stats{}) {
		t.Errorf("GET_STATS: %v, %+v", err, stats)
	}
}

func TestLegacyRequests(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	c := openAs(t, toy.dev.Primary(), root)
	word := int32(7)
	expectErr(t, "BLOCK", drmtest.Ioctl(c, uapi.IoctlBlock, &word), 0)
	expectErr(t, "UNBLOCK", drmtest.Ioctl(c, uapi.IoctlUnblock, &word), 0)
	expectErr(t, "FINISH", drmtest.Ioctl(c, uapi.IoctlFinish, &[8]byte{}), 0)
	expectErr(t, "SET_UNIQUE", drmtest.Ioctl(c, uapi.IoctlSetUnique, &uapi.Unique{}), unix.EINVAL)
}

func TestGetCap(t *testing.T) {
	const known = uapi.CapDumbBuffer // to the part below
	parts := func() drm.Part {
		return &part{cap: func(capability uint64) (uint64, bool) {
			switch capability {
			case known:
				return 17, true
			case uapi.CapPrime:
				return 3, true
			}
			return 0, false
		}}
	}
	const modeset = drm.FeatureModeset
	for _, tc := range []struct {
		features   drm.Features
		part       bool
		capability uint64
		value      uint64
		want       unix.Errno
	}{
		{0, false, uapi.CapTimestampMonotonic, 1, 0},
		{0, false, uapi.CapSyncobj, 0, 0},
		{drm.FeatureSyncobj, false, uapi.CapSyncobj, 1, 0},
		{drm.FeatureSyncobj, false, uapi.CapSyncobjTimeline, 0, 0},
		{drm.FeatureSyncobjTimeline, false, uapi.CapSyncobjTimeline, 1, 0},
		{0, false, uapi.CapPrime, 0, 0},
		{0, true, uapi.CapPrime, 3, 0},
		{modeset, true, uapi.CapPrime, 3, 0},
		{0, true, known, 0, unix.EOPNOTSUPP}, // a capability of displays
		{modeset, true, known, 17, 0},
		{modeset, false, known, 0, unix.EINVAL},
		{0, false, 0, 0, unix.EOPNOTSUPP},
		{modeset, true, 0, 0, unix.EINVAL},
		{modeset, true, math.MaxUint64, 0, unix.EINVAL},
	} {
		var attached []drm.Part
		if tc.part {
			attached = append(attached, parts())
		}
		toy := newToy(t, &drm.Driver{Features: tc.features}, attached...)
		c := drmtest.Open(t, toy.dev.Primary())
		arg := uapi.GetCap{Capability: tc.capability, Value: 99}
		what := fmt.Sprintf("GET_CAP %d with features %#b, part %v", tc.capability, tc.features, tc.part)
		expectErr(t, what, drmtest.Ioctl(c, uapi.IoctlGetCap, &arg), tc.want)
		if arg.Value != tc.value {
			t.Errorf("%s: %d, want %d", what, arg.Value, tc.value)
		}
	}
}

func TestSetClientCap(t *testing.T) {
	const (
		modeset = drm.FeatureModeset
		atomic  = drm.FeatureModeset | drm.FeatureAtomic
		hotspot = atomic | drm.FeatureCursorHotspot
	)
	set := func(capability, value uint64) uapi.SetClientCap {
		return uapi.SetClientCap{Capability: capability, Value: value}
	}
	allAtomic := drm.ClientCapSet{Atomic: true, UniversalPlanes: true, AspectRatio: true}
	for _, tc := range []struct {
		features drm.Features
		comm     string
		calls    []uapi.SetClientCap
		want     unix.Errno // of the last call
		caps     drm.ClientCapSet
	}{
		{0, "", []uapi.SetClientCap{set(uapi.ClientCapUniversalPlanes, 1)}, unix.EOPNOTSUPP, drm.ClientCapSet{}},
		{modeset, "", []uapi.SetClientCap{set(uapi.ClientCapStereo3D, 1)}, 0, drm.ClientCapSet{Stereo3D: true}},
		{modeset, "", []uapi.SetClientCap{set(uapi.ClientCapUniversalPlanes, 1)}, 0, drm.ClientCapSet{UniversalPlanes: true}},
		{modeset, "", []uapi.SetClientCap{set(uapi.ClientCapUniversalPlanes, 1), set(uapi.ClientCapUniversalPlanes, 0)}, 0, drm.ClientCapSet{}},
		{modeset, "", []uapi.SetClientCap{set(uapi.ClientCapUniversalPlanes, 1), set(uapi.ClientCapUniversalPlanes, 2)}, unix.EINVAL, drm.ClientCapSet{UniversalPlanes: true}},
		{modeset, "", []uapi.SetClientCap{set(uapi.ClientCapAspectRatio, 1)}, 0, drm.ClientCapSet{AspectRatio: true}},
		{modeset, "", []uapi.SetClientCap{set(uapi.ClientCapAspectRatio, math.MaxUint64)}, unix.EINVAL, drm.ClientCapSet{}},
		{modeset, "", []uapi.SetClientCap{set(uapi.ClientCapAtomic, 1)}, unix.EOPNOTSUPP, drm.ClientCapSet{}},
		{modeset, "", []uapi.SetClientCap{set(0, 1)}, unix.EINVAL, drm.ClientCapSet{}},
		{modeset, "", []uapi.SetClientCap{set(99, 0)}, unix.EINVAL, drm.ClientCapSet{}},
		{atomic, "", []uapi.SetClientCap{set(uapi.ClientCapAtomic, 1)}, 0, allAtomic},
		{atomic, "", []uapi.SetClientCap{set(uapi.ClientCapAtomic, 2)}, 0, allAtomic},
		{atomic, "", []uapi.SetClientCap{set(uapi.ClientCapAtomic, 3)}, unix.EINVAL, drm.ClientCapSet{}},
		{atomic, "", []uapi.SetClientCap{set(uapi.ClientCapAtomic, 1), set(uapi.ClientCapAtomic, 0)}, 0, drm.ClientCapSet{}},
		{atomic, "Xorg", []uapi.SetClientCap{set(uapi.ClientCapAtomic, 1)}, unix.EOPNOTSUPP, drm.ClientCapSet{}},
		{atomic, "Xorg", []uapi.SetClientCap{set(uapi.ClientCapAtomic, 2)}, 0, allAtomic},
		{atomic, "xterm", []uapi.SetClientCap{set(uapi.ClientCapAtomic, 1)}, 0, allAtomic},
		{atomic, "", []uapi.SetClientCap{set(uapi.ClientCapWritebackConnectors, 1)}, unix.EINVAL, drm.ClientCapSet{}},
		{atomic, "", []uapi.SetClientCap{set(uapi.ClientCapAtomic, 1), set(uapi.ClientCapWritebackConnectors, 1)}, 0,
			drm.ClientCapSet{Atomic: true, UniversalPlanes: true, AspectRatio: true, WritebackConnectors: true}},
		{atomic, "", []uapi.SetClientCap{set(uapi.ClientCapAtomic, 1), set(uapi.ClientCapWritebackConnectors, 2)}, unix.EINVAL, allAtomic},
		{atomic, "", []uapi.SetClientCap{set(uapi.ClientCapCursorPlaneHotspot, 1)}, unix.EOPNOTSUPP, drm.ClientCapSet{}},
		{hotspot, "", []uapi.SetClientCap{set(uapi.ClientCapCursorPlaneHotspot, 1)}, unix.EINVAL, drm.ClientCapSet{}},
		{hotspot, "", []uapi.SetClientCap{set(uapi.ClientCapAtomic, 1), set(uapi.ClientCapCursorPlaneHotspot, 1)}, 0,
			drm.ClientCapSet{Atomic: true, UniversalPlanes: true, AspectRatio: true, CursorPlaneHotspot: true}},
	} {
		toy := newToy(t, &drm.Driver{Features: tc.features})
		c := openAs(t, toy.dev.Primary(), drm.Client{PID: 1, Comm: tc.comm})
		var err error
		for _, arg := range tc.calls {
			err = drmtest.Ioctl(c, uapi.IoctlSetClientCap, &arg)
		}
		what := fmt.Sprintf("SET_CLIENT_CAP %v with features %#b by %q", tc.calls, tc.features, tc.comm)
		expectErr(t, what, err, tc.want)
		if caps := c.File.Caps(); caps != tc.caps {
			t.Errorf("%s: the file has %+v, want %+v", what, caps, tc.caps)
		}
	}
}

// TestColorPipelineCap checks the capability on devices of both kernels, with and
// without colour pipelines. Linux 6.12 does not know it.
func TestColorPipelineCap(t *testing.T) {
	const atomic = drm.FeatureModeset | drm.FeatureAtomic
	for _, tc := range []struct {
		kernel        drm.Kernel
		features      drm.Features
		atomic, value uint64
		want          unix.Errno
	}{
		{drm.Linux612, atomic, 1, 1, unix.EINVAL},
		{drm.Linux72, atomic, 0, 1, unix.EINVAL},
		{drm.Linux72, atomic, 1, 2, unix.EINVAL},
		{drm.Linux72, atomic, 1, 1, unix.EOPNOTSUPP},
		{drm.Linux72, atomic, 1, 0, unix.EOPNOTSUPP},
		{drm.Linux72, atomic | drm.FeatureColorPipeline, 0, 1, unix.EINVAL},
		{drm.Linux72, atomic | drm.FeatureColorPipeline, 1, 1, 0},
		{"", atomic | drm.FeatureColorPipeline, 1, 1, 0},
	} {
		toy := newToy(t, &drm.Driver{Features: tc.features, Kernel: tc.kernel})
		c := drmtest.Open(t, toy.dev.Primary())
		arg := uapi.SetClientCap{Capability: uapi.ClientCapAtomic, Value: tc.atomic}
		expectErr(t, "ATOMIC", drmtest.Ioctl(c, uapi.IoctlSetClientCap, &arg), 0)
		arg = uapi.SetClientCap{Capability: uapi.ClientCapPlaneColorPipeline, Value: tc.value}
		expectErr(t, fmt.Sprintf("PLANE_COLOR_PIPELINE, %+v", tc), drmtest.Ioctl(c, uapi.IoctlSetClientCap, &arg), tc.want)
	}
}

func TestSetClientName(t *testing.T) {
	toy := newToy(t, &drm.Driver{Features: drm.FeatureRender, FDInfo: func(*drm.RegisteredDevice, *drm.File) string { return "" }})
	nameOf := func(c *drmtest.Client) string {
		_, name, _ := strings.Cut(c.File.FDInfo(), "drm-client-name:\t")
		return strings.TrimSuffix(name, "\n")
	}
	for _, m := range []*drm.Minor{toy.dev.Primary(), toy.dev.Render()} {
		c := drmtest.Open(t, m)
		if name := nameOf(c); name != "" {
			t.Errorf("a new file is called %q", name)
		}
		for _, tc := range []struct {
			name string
			want unix.Errno
		}{
			{"compositor", 0},
			{"!~{}|", 0},
			{strings.Repeat("n", 64), 0},
			{strings.Repeat("n", 65), unix.EINVAL},
			{"two words", unix.EINVAL},
			{"line\n", unix.EINVAL},
			{"tab\tbed", unix.EINVAL},
			{"ends\x00", unix.EINVAL},
			{"a\x00b", unix.EINVAL},
			{"del\x7f", unix.EINVAL},
			{"naïve", unix.EINVAL},
		} {
			before := nameOf(c)
			arg := uapi.SetClientName{NameLen: uint64(len(tc.name)), Name: c.Put([]byte(tc.name))}
			expectErr(t, fmt.Sprintf("SET_CLIENT_NAME %q", tc.name), drmtest.Ioctl(c, uapi.IoctlSetClientName, &arg), tc.want)
			want := tc.name
			if tc.want != 0 {
				want = before
			}
			if got := nameOf(c); got != want {
				t.Errorf("after SET_CLIENT_NAME %q the file is called %q, want %q", tc.name, got, want)
			}
		}
		before := nameOf(c)
		expectErr(t, "SET_CLIENT_NAME at a bad address", drmtest.Ioctl(c, uapi.IoctlSetClientName, &uapi.SetClientName{NameLen: 1, Name: 8}), unix.EFAULT)
		expectErr(t, "SET_CLIENT_NAME of a huge length", drmtest.Ioctl(c, uapi.IoctlSetClientName, &uapi.SetClientName{NameLen: math.MaxUint64, Name: 8}), unix.EINVAL)
		if got := nameOf(c); got != before {
			t.Errorf("a request that failed changed the name to %q", got)
		}
		expectErr(t, "SET_CLIENT_NAME of nothing", drmtest.Ioctl(c, uapi.IoctlSetClientName, &uapi.SetClientName{Name: 8}), 0)
		if got := nameOf(c); got != "" {
			t.Errorf("the name was cleared and is %q", got)
		}
	}
}

// FuzzCoreIoctls sends requests with random numbers, sizes, directions,
// arguments and memory. None may panic, each error must be one of DRM, and the
// device must answer the next request.
func FuzzCoreIoctls(f *testing.F) {
	toy := newToy(f, &drm.Driver{Features: drm.FeatureRender | drm.FeatureModeset | drm.FeatureAtomic | drm.FeatureCursorHotspot},
		&part{cap: func(c uint64) (uint64, bool) { return c, c == 1 }})
	const nested = 1 << 16 // where an arena's first block is
	pointers := []byte{0, 0, 1, 0, 0, 0, 0, 0}
	lengths := append([]byte{5, 0, 0, 0, 0, 0, 0, 0}, pointers...)
	for _, cmd := range []uint32{
		uapi.IoctlVersion, uapi.IoctlGetUnique, uapi.IoctlGetMagic, uapi.IoctlGetClient, uapi.IoctlGetStats, uapi.IoctlGetCap,
		uapi.IoctlSetClientCap, uapi.IoctlSetVersion, uapi.IoctlSetUnique, uapi.IoctlBlock, uapi.IoctlUnblock, uapi.IoctlAuthMagic,
		uapi.IoctlSetMaster, uapi.IoctlDropMaster, uapi.IoctlFinish, uapi.IoctlSetClientName, uapi.IoctlModeCreateLease,
		uapi.IoctlModeListLessees, uapi.IoctlModeGetLease, uapi.IoctlModeRevokeLease,
	} {
		f.Add(cmd, []byte{}, []byte{}, false, true)
		f.Add(cmd, []byte{1, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 2}, []byte("nested"), true, true)
		f.Add(cmd, lengths, []byte("nested"), false, false)
		f.Add(cmd, append(make([]byte, 16), append(lengths, append(lengths, lengths...)...)...), make([]byte, 64), true, false)
	}
	f.Fuzz(func(t *testing.T, cmd uint32, arg, memory []byte, render, admin bool) {
		m, as := toy.dev.Primary(), drm.Client{PID: 1, Admin: admin}
		if render {
			m = toy.dev.Render()
		}
		c, err := drmtest.OpenAs(m, as)
		if err != nil {
			t.Fatal(err)
		}
		defer c.File.Close()
		if addr := c.Put(memory); addr != nested {
			t.Fatalf("the nested memory is at %#x", addr)
		}
		block := make([]byte, uapi.IOCSize(cmd)) // an access beyond it would be EFAULT
		copy(block, arg)
		addr := c.Put(block)
		caller := &closingClient{testClient: c}
		defer caller.close()
		for range 2 { // many requests answer differently the second time
			err = c.File.Ioctl(context.Background(), caller, cmd, addr)
			switch errno := drm.Errno(err); errno {
			case 0, unix.EINVAL, unix.EFAULT, unix.EACCES, unix.ENOTTY, unix.EOPNOTSUPP, unix.EBUSY:
			case unix.ENOENT, unix.ENOMEM: // leases: no such object, too many objects
			case unix.ENOSYS: // dumb buffers, on a device without them
			default:
				t.Errorf("request %#x: %v", cmd, err)
			}
		}
		if said := toy.reports.Take(); len(said) > 0 {
			t.Errorf("request %#x: %s", cmd, said)
		}
		if err := drmtest.Ioctl(c, uapi.IoctlVersion, &uapi.Version{}); err != nil {
			t.Errorf("the device does not live on after request %#x: %v", cmd, err)
		}
		if n := toy.dev.Guards(); n != 0 {
			t.Errorf("request %#x left %d guards open", cmd, n)
		}
	})
}

// testClient renames Client, which is a method as well.
type testClient = drmtest.Client

// A closingClient closes the files that devices give it, those of leases.
type closingClient struct {
	*testClient
	fds []int32
}

// InstallFile implements drm.Caller.
func (c *closingClient) InstallFile(flags int, open func(drm.EventSink) (drm.ClientFile, error)) (int32, error) {
	fd, err := c.testClient.InstallFile(flags, open)
	if err == nil {
		c.fds = append(c.fds, fd)
	}
	return fd, err
}

func (c *closingClient) close() {
	for _, fd := range c.fds {
		_ = drmtest.CloseFD(fd)
	}
}
