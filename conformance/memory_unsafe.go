package conformance

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/internal/kmsclient"
)

// addr returns the address of the elements of s, for arrays that requests
// point to; 0 when s is empty. It stays valid until the end of the case.
func addr[E any](t *tester, s []E) uint64 { return kmsclient.Address(&t.pin, s) }

// BadAddr returns the address of a page that can be neither read nor written.
func (t *tester) BadAddr() uint64 {
	t.Helper()
	return t.page(unix.PROT_NONE)
}

// ReadOnlyAddr returns the address of a page of zeros that cannot be written.
func (t *tester) ReadOnlyAddr() uint64 {
	t.Helper()
	return t.page(unix.PROT_READ)
}

func (t *tester) page(prot int) uint64 {
	t.Helper()
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), prot, unix.MAP_ANON|unix.MAP_PRIVATE)
	t.Must("mmap", err)
	t.Cleanup(func() { unix.Munmap(page) })
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(page))))
}
