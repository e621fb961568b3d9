package drm_test

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
)

// TestUserArrays reads and writes arrays in client memory, shorter and longer
// than what is read at once.
func TestUserArrays(t *testing.T) {
	for _, count := range []uint32{0, 1, 2, 4095, 4096, 4097, 10000} {
		a := drmtest.NewArena()
		want := make([]uint64, count)
		for i := range want {
			want[i] = uint64(i) * 0x0101010101
		}
		addr := drmtest.PutSlice(a, make([]uint64, count))
		if err := drm.PutArray(a, addr, want); err != nil {
			t.Fatal(err)
		}
		got, err := drm.ReadArray[uint64](a, addr, count)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%d elements: got %d, error %v", count, len(got), err)
		}
		if _, err := drm.ReadArray[uint64](a, addr, count+1); !errors.Is(err, unix.EFAULT) {
			t.Errorf("%d elements of %d: %v, want EFAULT", count+1, count, err)
		}
	}
}

// TestTooLittleRoom checks both ways to answer a client that has too little
// room for an array.
func TestTooLittleRoom(t *testing.T) {
	all := []uint32{7, 8, 9}
	for _, tc := range []struct {
		room      uint32
		some, all []uint32
	}{
		{0, []uint32{0, 0, 0, 0}, []uint32{0, 0, 0, 0}},
		{2, []uint32{7, 8, 0, 0}, []uint32{0, 0, 0, 0}},
		{3, []uint32{7, 8, 9, 0}, []uint32{7, 8, 9, 0}},
		{4, []uint32{7, 8, 9, 0}, []uint32{7, 8, 9, 0}},
	} {
		for what, put := range map[string]func(drm.Memory, uint64, *uint32, []uint32) error{
			"PutSome": drm.PutSome[uint32], "PutAll": drm.PutAll[uint32],
		} {
			want := tc.some
			if what == "PutAll" {
				want = tc.all
			}
			a := drmtest.NewArena()
			addr := drmtest.PutSlice(a, make([]uint32, 4))
			room := tc.room
			if err := put(a, addr, &room, all); err != nil || room != 3 {
				t.Errorf("%s: error %v, length %d", what, err, room)
			}
			got := make([]uint32, 4)
			if err := drmtest.GetSlice(a, got, addr); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s with room for %d: %v, want %v", what, tc.room, got, want)
			}
		}
	}
	var room uint32
	if err := drm.PutSome(drmtest.NewArena(), 8, &room, all); err != nil || room != 3 {
		t.Errorf("asked for the length only, at a bad address: %v, length %d", err, room)
	}
}

func TestExchange(t *testing.T) {
	type pair struct{ A, B uint32 }
	a := drmtest.NewArena()
	addr := drmtest.PutSlice(a, []pair{{1, 2}})
	swap := func(p *pair) error { p.A, p.B = p.B, p.A; return nil }
	if err := drm.Exchange(a, addr, swap); err != nil {
		t.Error(err)
	}
	if err := drm.Exchange(a, addr, func(p *pair) error { p.A = 9; return unix.EBUSY }); !errors.Is(err, unix.EBUSY) {
		t.Errorf("a request that fails: %v", err)
	}
	var got [1]pair
	if err := drmtest.GetSlice(a, got[:], addr); err != nil || got[0] != (pair{2, 1}) {
		t.Errorf("client memory has %v, %v; want the swapped pair", got, err)
	}
	if err := drm.Exchange(a, addr+4, swap); !errors.Is(err, unix.EFAULT) {
		t.Errorf("at a bad address: %v, want EFAULT", err)
	}
	called := false
	serve := func(*pair) error { called = true; return nil }
	if err := drm.Exchange(unwritable{a}, addr, serve); !errors.Is(err, unix.EFAULT) || called {
		t.Errorf("in memory that cannot be written: %v, served: %v; want EFAULT, without a call", err, called)
	}
	expectPanic(t, "a struct with padding in client memory", func() {
		_ = drm.Exchange(a, addr, func(*struct {
			A uint32
			B uint64
		}) error {
			return nil
		})
	})
}

// unwritable is client memory that cannot be written.
type unwritable struct{ drm.Memory }

func (unwritable) CopyToUser(uint64, []byte) error { return unix.EFAULT }
