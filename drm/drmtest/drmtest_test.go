package drmtest

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestArenaBounds(t *testing.T) {
	a := NewArena()
	first, second := a.Put([]byte("0123456789")), a.Put([]byte("abc"))
	for _, tc := range []struct {
		addr uint64
		n    int
		want string
		err  error
	}{
		{first, 10, "0123456789", nil},
		{first + 3, 4, "3456", nil},
		{first + 9, 1, "9", nil},
		{second, 3, "abc", nil},
		{first, 11, "", unix.EFAULT},
		{first + 10, 1, "", unix.EFAULT},
		{first - 1, 2, "", unix.EFAULT},
		{second + 2, 2, "", unix.EFAULT},
		{0, 1, "", unix.EFAULT},
		{math.MaxUint64, 1, "", unix.EFAULT},
		{math.MaxUint64, 0, "", nil},
	} {
		got := make([]byte, tc.n)
		err := a.CopyFromUser(got, tc.addr)
		if !errors.Is(err, tc.err) || err == nil && string(got) != tc.want {
			t.Errorf("reading %d bytes at %#x: %q, %v; want %q, %v", tc.n, tc.addr, got, err, tc.want, tc.err)
		}
		if err := a.CopyToUser(tc.addr, got); !errors.Is(err, tc.err) {
			t.Errorf("writing %d bytes at %#x: %v, want %v", tc.n, tc.addr, err, tc.err)
		}
	}
	a.Free(first)
	if err := a.CopyFromUser(make([]byte, 1), first); !errors.Is(err, unix.EFAULT) {
		t.Errorf("reading a freed block: %v, want EFAULT", err)
	}
}

func TestArenaSlices(t *testing.T) {
	a := NewArena()
	want := []uint32{1, 2, 1 << 31}
	addr := PutSlice(a, want)
	got := make([]uint32, len(want))
	if err := GetSlice(a, got, addr); err != nil || !slices.Equal(got, want) {
		t.Errorf("read %v, %v; want %v", got, err, want)
	}
	if addr := PutSlice[uint32](a, nil); addr != 0 {
		t.Errorf("an empty slice has the address %#x", addr)
	}
}

func TestReports(t *testing.T) {
	r := new(Reports)
	log := r.Logger()
	log.Debug("not a report")
	log.Error("it broke", "device", "card0", "pid", 7)
	if got := r.Take(); len(got) != 1 || !strings.Contains(got[0], "ERROR it broke device=card0 pid=7") {
		t.Errorf("reports: %q", got)
	}
	if got := r.Take(); len(got) != 0 {
		t.Errorf("reports once more: %q", got)
	}
}
