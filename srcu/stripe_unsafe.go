package srcu

import (
	"iter"
	"math/bits"
	"runtime"
	"unsafe"
)

const (
	// lineSize is the distance between stripes in bytes: one cache line of
	// nearly all processors. Two lines measured no faster.
	lineSize  = 1 << lineShift
	lineShift = 6

	wordSize     = unsafe.Sizeof(word{})
	wordsPerLine = lineSize / wordSize

	gateSize    = unsafe.Sizeof(gate{})
	waitingSize = unsafe.Sizeof(waiting{})

	// stripesPerP makes it rare that two running goroutines pick the same
	// stripe.
	stripesPerP = 8
)

// stripes is a power of two of cache lines. The first two words of a line are a
// stripe, one word for each index; the rest keeps the stripes apart.
type stripes struct {
	words []word
	mask  uintptr // of the offset of a line among them, in bytes
}

func newStripes(d *Domain) stripes {
	n := 1 << bits.Len(uint(stripesPerP*runtime.GOMAXPROCS(0)-1))
	// The allocator may put a header of half a word in front, so ask for one
	// more line, and begin where at most that much of a line is skipped.
	words := make([]word, (n+1)*int(wordsPerLine))
	for uintptr(unsafe.Pointer(&words[0]))%lineSize >= wordSize {
		words = words[1:]
	}
	s := stripes{words[:n*int(wordsPerLine)], uintptr(n-1) * lineSize}
	for w := range s.all {
		w.d = d
	}
	return s
}

// word returns the word for the index that the calling goroutine should use.
func (s *stripes) word(index uintptr) *word {
	return (*word)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s.words)), hint()&s.mask+index*wordSize))
}

// under yields the word of each stripe for the index.
func (s *stripes) under(index uint64) iter.Seq[*word] {
	return func(yield func(*word) bool) {
		for i := uintptr(index); i < uintptr(len(s.words)); i += wordsPerLine {
			if !yield(&s.words[i]) {
				return
			}
		}
	}
}

// all yields the words of both indexes.
func (s *stripes) all(yield func(*word) bool) {
	for i := uintptr(0); i < uintptr(len(s.words)); i += wordsPerLine {
		if !yield(&s.words[i]) || !yield(&s.words[i+1]) {
			return
		}
	}
}
