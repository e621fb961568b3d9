package srcu

import (
	"math/bits"
	"runtime"
	"unsafe"
)

// A stripe is a cache line that holds one word per index.
type stripe struct {
	index [2]word
	_     [64 - 2*16]byte
}

func (d *Domain) makeStripes() {
	n := 1 << bits.Len(uint(8*runtime.GOMAXPROCS(0)-1))
	d.stripes = make([]stripe, n)
	for i := range d.stripes {
		d.stripes[i].index[0].d = d
		d.stripes[i].index[1].d = d
	}
	d.words = unsafe.Pointer(&d.stripes[0])
	d.mask = uintptr(n-1) * unsafe.Sizeof(stripe{})
}

// word picks the word of the index that the calling goroutine should use.
func (d *Domain) word(index uintptr) *word {
	var here byte
	h := uint64(uintptr(unsafe.Pointer(&here))) * 0x9e3779b97f4a7c15
	return (*word)(unsafe.Add(d.words, uintptr(h>>46)&d.mask+index*unsafe.Sizeof(word{})))
}
