package drm_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// twoArrays is the argument of a request with an array to read and one to write.
type twoArrays struct {
	In, Out    uint64
	Count, Sum uint32
}

// A slowMemory is a client whose copies may wait. It notes which were made how.
type slowMemory struct {
	drm.Caller
	toy   *toy
	calls []string
}

func (m *slowMemory) note(what string) {
	if m.toy.dev.Guards() > 0 {
		what += " inside"
	}
	m.calls = append(m.calls, what)
}

func (m *slowMemory) CopyFromUserContext(_ context.Context, dst []byte, addr uint64) error {
	m.note("read")
	return m.CopyFromUser(dst, addr)
}

func (m *slowMemory) CopyToUserContext(_ context.Context, addr uint64, src []byte) error {
	m.note("write")
	return m.CopyToUser(addr, src)
}

func (m *slowMemory) FetchFromUser(dst []byte, addr uint64) bool {
	m.note("fetch")
	return m.CopyFromUser(dst, addr) == nil
}

func (m *slowMemory) DeliverToUser(_ context.Context, addr uint64, src []byte) error {
	m.note("deliver")
	return m.CopyToUser(addr, src)
}

// TestRequestMemory sends a request that reads an array, writes it twice to another
// one, and reads that again, with addresses that are good and bad.
func TestRequestMemory(t *testing.T) {
	cmd := uapi.IOWR(uapi.CommandBase, 24)
	double := func(_ *drm.RegisteredDevice, req *drm.Request, arg *twoArrays) error {
		in, err := drm.ReadArray[uint32](req, arg.In, arg.Count)
		if err != nil {
			return err
		}
		for range 2 {
			for i := range in {
				in[i] *= 2
			}
			if err := drm.PutArray(req, arg.Out, in); err != nil {
				return err
			}
			arg.Sum++
		}
		got, err := drm.ReadArray[uint32](req, arg.Out, arg.Count)
		if err != nil {
			return err
		}
		if !slices.Equal(got, in) {
			t.Errorf("the handler has written %v and reads %v", in, got)
		}
		if arg.Sum += 10; arg.In == arg.Out {
			return req.CopyToUserNow(arg.Out, []byte{255})
		}
		return nil
	}
	for _, fetches := range []bool{true, false} {
		ioctl := drm.NewIoctl(cmd, 0, double)
		read := []string{"read inside"}
		if fetches {
			read = []string{"fetch"}
			ioctl = drm.Fetching(ioctl, func(req *drm.Request, arg *twoArrays) {
				req.Fetch(drm.Span{Addr: arg.In, Size: 4 * uint64(arg.Count)})
			})
		}
		toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{ioctl}})
		client := drmtest.Open(t, toy.dev.Primary())
		m := &slowMemory{Caller: client, toy: toy}
		in, out := drmtest.PutSlice(client.Arena, []uint32{1, 2, 3}), drmtest.PutSlice(client.Arena, make([]uint32, 3))
		const bad = 8
		for _, tc := range []struct {
			name    string
			in, out uint64
			errno   unix.Errno
			sum     uint32
			want    []uint32 // in the array
			calls   []string
		}{
			{"good", in, out, 0, 12, []uint32{4, 8, 12}, append(slices.Clone(read), "read inside", "deliver", "deliver")},
			{"bad output", in, bad, unix.EFAULT, 0, nil, nil},
			{"bad input", bad, out, unix.EFAULT, 0, nil, nil},
			{"now", in, in, 0, 12, []uint32{255, 8, 12}, nil},
		} {
			m.calls = nil
			addr := drmtest.PutSlice(client.Arena, []twoArrays{{In: tc.in, Out: tc.out, Count: 3}})
			err := client.File.Ioctl(t.Context(), m, cmd, addr)
			after := make([]twoArrays, 1)
			if err := drmtest.GetSlice(client.Arena, after, addr); err != nil || after[0].Sum != tc.sum {
				t.Errorf("%s: the argument says %d, want %d; error %v", tc.name, after[0].Sum, tc.sum, err)
			}
			if drm.Errno(err) != tc.errno {
				t.Errorf("%s: %v, want %v", tc.name, err, tc.errno)
			}
			got := make([]uint32, 3)
			if tc.want != nil && (drmtest.GetSlice(client.Arena, got, tc.out) != nil || !slices.Equal(got, tc.want)) {
				t.Errorf("%s: the array has %v, want %v", tc.name, got, tc.want)
			}
			if tc.calls != nil && !slices.Equal(m.calls, tc.calls) {
				t.Errorf("%s: copies %q, want %q", tc.name, m.calls, tc.calls)
			}
		}
		if err := client.File.Ioctl(t.Context(), m, cmd, bad); !errors.Is(err, unix.EFAULT) {
			t.Error(err)
		}
	}
}
