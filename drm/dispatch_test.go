package drm_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// toyArg is the argument of some requests of the driver.
type toyArg struct{ A, B uint64 }

const toyArgSize = 16

// readOnly is a caller whose memory cannot be written.
type readOnly struct{ drm.Caller }

func (readOnly) CopyToUser(uint64, []byte) error { return unix.EFAULT }

// by is a caller with the memory of one client and the identity of another: a
// process that a descriptor was passed to.
type by struct {
	drm.Caller
	as drm.Client
}

func (b by) Client() drm.Client { return b.as }

// TestOrderOfChecks sends a request with all defects, and mends one after the
// other: each check must come before all later ones.
func TestOrderOfChecks(t *testing.T) {
	ran := 0
	var answer error
	handler := func(_ *drm.RegisteredDevice, _ *drm.Request, arg *toyArg) error {
		ran++
		arg.B = arg.A + 1
		return answer
	}
	const nr = uapi.CommandBase + 1
	cmd := uapi.IOWR(nr, toyArgSize)
	toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{drm.NewIoctl(cmd, drm.IoctlMaster, handler)}})
	master := drmtest.Open(t, toy.dev.Primary())
	stranger := drmtest.Open(t, toy.dev.Primary())

	wrongType := uapi.IOWR(nr+1, toyArgSize)&^(0xff<<8) | 'x'<<8
	unknown := uapi.IOWR(nr+1, toyArgSize)
	const bad = 8 // no block has this address
	for _, tc := range []struct {
		what     string
		from     *drmtest.Client
		readOnly bool
		cmd      uint32
		bad      bool
		handler  error
		want     unix.Errno
		ran      bool
		written  bool
	}{
		{"another type", stranger, true, wrongType, true, unix.EBUSY, unix.ENOTTY, false, false},
		{"an unknown number", stranger, true, unknown, true, unix.EBUSY, unix.EINVAL, false, false},
		{"a bad address", stranger, true, cmd, true, unix.EBUSY, unix.EFAULT, false, false},
		{"an argument that cannot be written, refused", stranger, true, cmd, false, unix.EBUSY, unix.EFAULT, false, false},
		{"no permission", stranger, false, cmd, false, unix.EBUSY, unix.EACCES, false, false},
		{"an argument that cannot be written, failed", master, true, cmd, false, unix.EBUSY, unix.EFAULT, true, false},
		{"a failure", master, false, cmd, false, unix.EBUSY, unix.EBUSY, true, true},
		{"a failure of no number", master, false, cmd, false, errBroken, unix.EINVAL, true, true},
		{"an argument that cannot be written", master, true, cmd, false, nil, unix.EFAULT, true, false},
		{"nothing wrong", master, false, cmd, false, nil, 0, true, true},
	} {
		t.Run(tc.what, func(t *testing.T) {
			answer, ran = tc.handler, 0
			arg := []uint64{41, 0}
			addr := drmtest.PutSlice(tc.from.Arena, arg)
			defer tc.from.Free(addr)
			sent := addr
			if tc.bad {
				sent = bad
			}
			var caller drm.Caller = tc.from
			if tc.readOnly {
				caller = readOnly{tc.from}
			}
			err := tc.from.File.Ioctl(context.Background(), caller, tc.cmd, sent)
			expectErr(t, "the request", err, tc.want)
			if (ran == 1) != tc.ran {
				t.Errorf("the handler ran %d times", ran)
			}
			if err := drmtest.GetSlice(tc.from.Arena, arg, addr); err != nil || (arg[1] == 42) != tc.written {
				t.Errorf("the argument reads %v afterwards", arg)
			}
		})
	}

	// An unplugged device refuses all of them, before it looks at anything.
	if err := toy.parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []uint32{wrongType, unknown, cmd, uapi.IoctlVersion, 0, 0xffffffff} {
		err := stranger.File.Ioctl(context.Background(), readOnly{stranger}, cmd, bad)
		expectErr(t, fmt.Sprintf("request %#x on an unplugged device", cmd), err, unix.ENODEV)
		if !errors.Is(err, drm.ErrUnplugged) {
			t.Errorf("request %#x on an unplugged device: %v", cmd, err)
		}
	}
	// A closed file comes first: it is not even a file any more.
	stranger.File.Close()
	expectErr(t, "a request on a closed file", call(stranger, 1), unix.EBADF)
}

var (
	user  = drm.Client{PID: 100, UID: 1000, Comm: "user"}
	other = drm.Client{PID: 200, UID: 1000, Comm: "other"}
	root  = drm.Client{PID: 1, UID: 0, Comm: "root", Admin: true}
)

// authenticate lets the master authenticate c.
func authenticate(t testing.TB, master, c *drmtest.Client) {
	t.Helper()
	var magic uapi.Auth
	if err := drmtest.Ioctl(c, uapi.IoctlGetMagic, &magic); err != nil {
		t.Fatal(err)
	}
	if err := drmtest.Ioctl(master, uapi.IoctlAuthMagic, &magic); err != nil {
		t.Fatal(err)
	}
}

// A clientKind is a kind of client that permissions distinguish.
type clientKind struct {
	name   string
	file   *drmtest.Client
	caller drm.Client

	auth, master, admin, render bool
}

func clientKinds(t testing.TB, dev *drm.Device) []clientKind {
	primary := func(as drm.Client) *drmtest.Client { return openAs(t, dev.Primary(), as) }
	render := func(as drm.Client) *drmtest.Client { return openAs(t, dev.Render(), as) }
	master := primary(user)
	authed := primary(other)
	authenticate(t, master, authed)
	return []clientKind{
		{name: "master", file: master, caller: user, auth: true, master: true},
		{name: "stranger", file: primary(user), caller: user},
		{name: "authenticated", file: authed, caller: other, auth: true},
		{name: "root", file: primary(root), caller: root, auth: true, admin: true},
		{name: "root's, passed to a user", file: primary(root), caller: user, auth: true},
		{name: "a user's, passed to root", file: primary(user), caller: root, admin: true},
		{name: "master's, passed to root", file: master, caller: root, auth: true, master: true, admin: true},
		{name: "render", file: render(user), caller: user, render: true},
		{name: "render, root", file: render(root), caller: root, auth: true, admin: true, render: true},
	}
}

// permitted implements the rule of the uAPI, flag by flag.
func (k clientKind) permitted(flags drm.IoctlFlags) bool {
	switch {
	case flags&drm.IoctlRootOnly != 0 && !k.admin:
		return false
	case flags&drm.IoctlAuth != 0 && !k.auth && !k.render:
		return false
	case flags&drm.IoctlMaster != 0 && !k.master:
		return false
	case flags&drm.IoctlRenderAllow == 0 && k.render:
		return false
	}
	return true
}

func (k clientKind) send(cmd uint32, addr uint64) error {
	return k.file.File.Ioctl(context.Background(), by{k.file, k.caller}, cmd, addr)
}

func TestPermissions(t *testing.T) {
	d := &drm.Driver{Features: drm.FeatureRender}
	const all = drm.IoctlAuth | drm.IoctlMaster | drm.IoctlRootOnly | drm.IoctlRenderAllow
	ran := false
	for flags := range all + 1 {
		d.Ioctls = append(d.Ioctls, toyIoctl(uint32(flags), flags, func(*drm.RegisteredDevice, *drm.Request) error {
			ran = true
			return nil
		}))
	}
	toy := newToy(t, d)
	for _, k := range clientKinds(t, toy.dev) {
		for flags := range all + 1 {
			ran = false
			err := k.send(ioctlNr(uint32(flags)), 0)
			want := unix.EACCES
			if k.permitted(flags) {
				want = 0
			}
			if drm.Errno(err) != want || ran != (want == 0) {
				t.Errorf("%s, flags %#b: %v, handler ran: %v, want errno %d", k.name, flags, err, ran, want)
			}
		}
	}
}

// TestCorePermissions checks who may send the core's own requests.
func TestCorePermissions(t *testing.T) {
	toy := newToy(t, &drm.Driver{Features: drm.FeatureRender | drm.FeatureModeset})
	kinds := clientKinds(t, toy.dev)
	const legacy = drm.IoctlAuth | drm.IoctlMaster | drm.IoctlRootOnly
	for _, tc := range []struct {
		cmd   uint32
		flags drm.IoctlFlags
	}{
		{uapi.IoctlVersion, drm.IoctlRenderAllow},
		{uapi.IoctlGetUnique, 0},
		{uapi.IoctlGetMagic, 0},
		{uapi.IoctlGetClient, 0},
		{uapi.IoctlGetStats, 0},
		{uapi.IoctlGetCap, drm.IoctlRenderAllow},
		{uapi.IoctlSetClientCap, 0},
		{uapi.IoctlSetVersion, drm.IoctlMaster},
		{uapi.IoctlSetUnique, legacy},
		{uapi.IoctlBlock, legacy},
		{uapi.IoctlUnblock, legacy},
		{uapi.IoctlAuthMagic, drm.IoctlMaster},
		{uapi.IoctlFinish, drm.IoctlAuth},
		{uapi.IoctlSetClientName, drm.IoctlRenderAllow},
	} {
		for _, k := range kinds {
			addr := k.file.Put(make([]byte, uapi.IOCSize(tc.cmd)))
			refused := drm.Errno(k.send(tc.cmd, addr)) == unix.EACCES
			if refused == k.permitted(tc.flags) {
				t.Errorf("%s by %s: refused: %v", uapi.IoctlName(tc.cmd), k.name, refused)
			}
		}
	}
}

// TestSizesAndDirections sends the struct of a request shorter and longer than
// the handler's, and with other direction bits: what the client did not send is
// zero, it gets back as many bytes as it said, and bytes beyond the handler's
// struct come back as they were sent.
func TestSizesAndDirections(t *testing.T) {
	const ours = toyArgSize
	var seen toyArg
	handler := func(_ *drm.RegisteredDevice, _ *drm.Request, arg *toyArg) error {
		seen = *arg
		*arg = toyArg{0xf0f1f2f3f4f5f6f7, 0xe0e1e2e3e4e5e6e7}
		return nil
	}
	makers := map[uint32]func(nr, size uint32) uint32{
		uapi.IOCNone: func(nr, size uint32) uint32 { return uapi.IOWR(nr, size) &^ (3 << 30) },
		uapi.IOCRead: uapi.IOR, uapi.IOCWrite: uapi.IOW, uapi.IOCRead | uapi.IOCWrite: uapi.IOWR,
	}
	d := &drm.Driver{}
	for dir, maker := range makers {
		d.Ioctls = append(d.Ioctls, drm.NewIoctl(maker(uapi.CommandBase+dir, ours), 0, handler))
	}
	toy := newToy(t, d)
	c := drmtest.Open(t, toy.dev.Primary())
	for ourDir := range makers {
		for theirDir, maker := range makers {
			for _, size := range []int{0, 1, 7, 8, 9, 12, 16, 17, 20, 24, 100, 4096, 1<<14 - 1} {
				name := fmt.Sprintf("direction %d, sent as %d, %d bytes", ourDir, theirDir, size)
				const canary = 32
				sent := make([]byte, size+canary)
				for i := range sent {
					sent[i] = byte(i%250 + 1)
				}
				addr := c.Put(sent)
				err := c.File.Ioctl(context.Background(), c, maker(uapi.CommandBase+ourDir, uint32(size)), addr)
				expectErr(t, name, err, 0)
				got := make([]byte, len(sent))
				if err := c.CopyFromUser(got, addr); err != nil {
					t.Fatal(err)
				}
				c.Free(addr)

				in := make([]byte, max(size, ours))
				if ourDir&theirDir&uapi.IOCWrite != 0 {
					copy(in, sent[:size])
				}
				wantSeen := toyArg{binary.NativeEndian.Uint64(in), binary.NativeEndian.Uint64(in[8:])}
				if seen != wantSeen {
					t.Errorf("%s: the handler saw %#x, want %#x", name, seen, wantSeen)
				}
				want := append([]byte(nil), sent...)
				if ourDir&theirDir&uapi.IOCRead != 0 {
					binary.NativeEndian.PutUint64(in, 0xf0f1f2f3f4f5f6f7)
					binary.NativeEndian.PutUint64(in[8:], 0xe0e1e2e3e4e5e6e7)
					copy(want, in[:size])
				}
				if string(got) != string(want) {
					t.Errorf("%s: the client has\n% x\nwant\n% x", name, got[:min(len(got), 64)], want[:min(len(want), 64)])
				}
			}
		}
	}
}

func TestArgumentWithoutMemory(t *testing.T) {
	toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{drm.NewIoctl(uapi.IOWR(uapi.CommandBase, toyArgSize), 0,
		func(_ *drm.RegisteredDevice, _ *drm.Request, arg *toyArg) error {
			if *arg != (toyArg{}) {
				t.Errorf("the handler saw %v", *arg)
			}
			return nil
		})}})
	c := drmtest.Open(t, toy.dev.Primary())
	for _, tc := range []struct {
		cmd  uint32
		want unix.Errno
	}{
		{uapi.IOWR(uapi.CommandBase, toyArgSize) &^ (3 << 30), 0},
		{uapi.IOWR(uapi.CommandBase, 0), 0},
		{uapi.IOW(uapi.CommandBase, 1), unix.EFAULT},
		{uapi.IOR(uapi.CommandBase, 1), unix.EFAULT},
	} {
		expectErr(t, fmt.Sprintf("%#x at NULL", tc.cmd), c.File.Ioctl(context.Background(), c, tc.cmd, 0), tc.want)
	}
}

func TestNewIoctlChecksSize(t *testing.T) {
	expectPanic(t, "an ioctl whose handler takes another size", func() {
		drm.NewIoctl(uapi.IOWR(uapi.CommandBase, toyArgSize+8), 0, func(*drm.RegisteredDevice, *drm.Request, *toyArg) error { return nil })
	})
}

// A panic in a handler becomes EIO for that client, and is reported. The device
// goes on working.
func TestPanicInHandler(t *testing.T) {
	toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{
		toyIoctl(0, 0, func(*drm.RegisteredDevice, *drm.Request) error { panic("broken toy") }),
		toyIoctl(1, 0, func(_ *drm.RegisteredDevice, req *drm.Request) error {
			var none []int
			return fmt.Errorf("element %d", none[req.Cmd])
		}),
		toyIoctl(2, 0, func(*drm.RegisteredDevice, *drm.Request) error { return nil }),
	}}, &part{mmap: func(*drm.RegisteredDevice, *drm.File, uint64, uint64) (drm.Mapping, bool, error) { panic("broken map") }})
	c, bystander := openAs(t, toy.dev.Primary(), user), openAs(t, toy.dev.Primary(), other)
	_, mmapErr := c.File.Mmap(drm.FakeOffsetMin, 4096)
	for _, tc := range []struct {
		err   error
		wants []string
	}{
		{mmapErr, []string{"mmap", "broken map"}},
		{c.File.Ioctl(context.Background(), c, ioctlNr(0), 0), []string{fmt.Sprintf("%#x", ioctlNr(0)), "broken toy"}},
		{c.File.Ioctl(context.Background(), c, ioctlNr(1), 0), []string{fmt.Sprintf("%#x", ioctlNr(1)), "index out of range"}},
	} {
		expectErr(t, tc.wants[0], tc.err, unix.EIO)
		for _, want := range tc.wants {
			if !strings.Contains(tc.err.Error(), want) {
				t.Errorf("the error %q does not say %q", tc.err, want)
			}
		}
	}
	said := toy.reports.Take()
	if len(said) != 3 {
		t.Fatalf("3 panics, reported as\n%s", strings.Join(said, "\n"))
	}
	for _, want := range []string{"ERROR", "pid=100", "comm=user", "card0", "dispatch_test.go"} {
		for _, line := range said {
			if !strings.Contains(line, want) {
				t.Errorf("the report does not say %q: %s", want, line)
			}
		}
	}
	for _, c := range []*drmtest.Client{c, bystander} {
		expectErr(t, "a request after the panic", call(c, 2), 0)
	}
	if n := toy.dev.Guards(); n != 0 {
		t.Errorf("%d guards are left open", n)
	}
	if err := toy.parent.Remove(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestErrno(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want unix.Errno
	}{
		{nil, 0},
		{unix.EBUSY, unix.EBUSY},
		{fmt.Errorf("wrapped: %w", unix.EACCES), unix.EACCES},
		{drm.ErrNotRegistered, unix.ENODEV},
		{drm.ErrUnplugged, unix.ENODEV},
		{&os.PathError{Op: "open", Path: "card0", Err: unix.ENOENT}, unix.ENOENT},
		{errBroken, unix.EINVAL},
		{context.Canceled, unix.EINVAL},
	} {
		if got := drm.Errno(tc.err); got != tc.want {
			t.Errorf("%v is errno %d, want %d", tc.err, got, tc.want)
		}
	}
}

func TestMmap(t *testing.T) {
	var asked []string
	maker := func(name string, at uint64, answer error) *part {
		return &part{mmap: func(dev *drm.RegisteredDevice, f *drm.File, offset, length uint64) (drm.Mapping, bool, error) {
			asked = append(asked, name)
			return drm.Mapping{Offset: int64(length)}, offset == at, answer
		}}
	}
	toy := newToy(t, &drm.Driver{}, maker("first", 1, nil), maker("second", 2, nil), maker("third", 3, unix.EACCES))
	c := drmtest.Open(t, toy.dev.Primary())
	for _, tc := range []struct {
		offset uint64
		want   unix.Errno
		asked  int
	}{{1, 0, 1}, {2, 0, 2}, {3, unix.EACCES, 3}, {4, unix.EACCES, 3}} {
		asked = nil
		m, err := c.File.Mmap(tc.offset, 4096)
		expectErr(t, "mmap", err, tc.want)
		if err == nil && m.Offset != 4096 || len(asked) != tc.asked {
			t.Errorf("offset %d: mapping %v, asked %v", tc.offset, m, asked)
		}
	}
	bare := newToy(t, &drm.Driver{}, &part{})
	b := drmtest.Open(t, bare.dev.Primary())
	_, err := b.File.Mmap(1, 4096)
	expectErr(t, "mmap of an unknown offset", err, unix.EINVAL)
	if err := bare.reg.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, err = b.File.Mmap(1, 4096)
	expectErr(t, "mmap of an unplugged device", err, unix.ENODEV)
	b.File.Close()
	_, err = b.File.Mmap(1, 4096)
	expectErr(t, "mmap of a closed file", err, unix.EBADF)
}
