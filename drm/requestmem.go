package drm

import "slices"

// A copy of client memory can wait for the client, and an unplug waits for the
// guard of the request. So most copies are made outside of the guard: arrays that a
// request is known to read are fetched before, and what a handler writes is
// delivered afterwards. A [ContextMemory] makes the others such that an unplug ends
// them.

// A Span is a range of client memory.
type Span struct{ Addr, Size uint64 }

// maxFetched bounds what is fetched at once. fetchedTogether is how far apart spans
// may be that are read at once.
const (
	maxFetched      = 1 << 16
	fetchedTogether = 1 << 12
)

// Fetching returns ioctl, whose argument is the struct T, with a function that runs
// before the guard and should call [Request.Fetch] for the arrays that the handler
// reads. It must not use the device.
func Fetching[T any](ioctl Ioctl, fetch func(req *Request, arg *T)) Ioctl {
	ioctl.fetch = func(req *Request, arg []uint64) { fetch(req, asStruct[T](arg)) }
	return ioctl
}

// Fetch copies client memory before the guard, for CopyFromUser. It may leave out
// what is too large, or what would have to be waited for.
func (r *Request) Fetch(spans ...Span) {
	m, ok := r.Caller.(ContextMemory)
	if !ok {
		return // its copies do not wait
	}
	spans = slices.DeleteFunc(spans, func(s Span) bool {
		return s.Addr == 0 || s.Size == 0 || s.Size > maxFetched || s.Addr+s.Size < s.Addr
	})
	if len(spans) == 0 {
		return
	}
	low, high := spans[0].Addr, uint64(0)
	for _, s := range spans {
		low, high = min(low, s.Addr), max(high, s.Addr+s.Size)
	}
	if high-low <= fetchedTogether && r.fetch(m, Span{low, high - low}) {
		return
	}
	for _, s := range spans {
		r.fetch(m, s)
	}
}

func (r *Request) fetch(m ContextMemory, s Span) bool {
	data := make([]byte, s.Size)
	if !m.FetchFromUser(data, s.Addr) {
		return false
	}
	r.fetched = append(r.fetched, placed{s.Addr, data})
	return true
}

// FetchedArray returns an array that was fetched, or nil.
func FetchedArray[T any](r *Request, addr uint64, count uint32) []T {
	if uint64(count) > maxFetched {
		return nil
	}
	array := make([]T, count)
	if !r.copyFetched(bytesOf(array), addr) {
		return nil
	}
	return array
}

// placed are bytes at an address of the client.
type placed struct {
	addr uint64
	data []byte
}

func (r *Request) copyFetched(dst []byte, addr uint64) bool {
	for _, f := range r.fetched {
		if skip := addr - f.addr; addr >= f.addr && skip <= uint64(len(f.data)) && uint64(len(dst)) <= uint64(len(f.data))-skip {
			copy(dst, f.data[skip:])
			return true
		}
	}
	return false
}

// A delivery is what a handler has written: it reaches the client after the guard.
type delivery struct {
	placed
	arg []uint64 // the argument when it was written
}

// CopyFromUser copies memory of the client, for a handler. It ends with the context
// of the request.
func (r *Request) CopyFromUser(dst []byte, addr uint64) error {
	if !r.copyFetched(dst, addr) {
		if err := r.copyInside(dst, addr); err != nil {
			return err
		}
	}
	for _, d := range r.deliveries {
		switch {
		case d.addr >= addr && d.addr-addr < uint64(len(dst)):
			copy(dst[d.addr-addr:], d.data)
		case addr > d.addr && addr-d.addr < uint64(len(d.data)):
			copy(dst, d.data[addr-d.addr:])
		}
	}
	return nil
}

func (r *Request) copyInside(dst []byte, addr uint64) error {
	if m, ok := r.Caller.(ContextMemory); ok {
		return m.CopyFromUserContext(r.Context(), dst, addr)
	}
	return r.Caller.CopyFromUser(dst, addr)
}

// CopyToUser copies to memory of the client, for a handler. The bytes arrive there
// after the handler has returned and the guard has exited. If they cannot, the
// request fails with EFAULT, with the argument as it was when CopyToUser was called,
// but what the handler has done since remains. See CopyToUserNow.
func (r *Request) CopyToUser(addr uint64, src []byte) error {
	if len(src) > 0 {
		r.deliveries = append(r.deliveries, delivery{placed{addr, slices.Clone(src)}, slices.Clone(r.arg)})
	}
	return nil
}

// CopyToUserNow is CopyToUser for a handler that must know whether the client has the
// bytes before it goes on. It ends with the context of the request, and takes longer.
func (r *Request) CopyToUserNow(addr uint64, src []byte) error {
	r.fetched = nil // it may be changed
	earlier := r.deliveries
	r.deliveries = nil
	for _, d := range append(earlier, delivery{placed: placed{addr, src}}) {
		if err := r.writeInside(d.addr, d.data); err != nil {
			return err
		}
	}
	return nil
}

func (r *Request) writeInside(addr uint64, src []byte) error {
	if m, ok := r.Caller.(ContextMemory); ok {
		return m.CopyToUserContext(r.Context(), addr, src)
	}
	return r.Caller.CopyToUser(addr, src)
}

// deliver writes what the handler has written. If it fails, it sets the argument to
// what it was then.
func (r *Request) deliver() error {
	m, mayWait := r.Caller.(ContextMemory)
	for _, d := range r.deliveries {
		var err error
		if mayWait {
			err = m.DeliverToUser(r.Context(), d.addr, d.data)
		} else {
			err = r.Caller.CopyToUser(d.addr, d.data)
		}
		if err != nil {
			copy(r.arg, d.arg)
			return err
		}
	}
	r.deliveries = nil
	return nil
}
