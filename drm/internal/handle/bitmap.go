package handle

import "math/bits"

// A bitmap tells which indices are taken, and finds the lowest free one in a few
// steps, however many are taken. The zero value has none taken.
//
// Level 0 has a bit for each index. The level above has a bit for each word, which is
// set if the word is full, and so on. The last level has one word.
type bitmap struct{ levels [][]uint64 }

const (
	wordBits = 64
	full     = ^uint64(0)
)

// take marks an index as taken.
func (b *bitmap) take(index int) {
	for level := 0; ; level++ {
		b.grow(level, index/wordBits)
		word := &b.levels[level][index/wordBits]
		*word |= 1 << (index % wordBits)
		if *word != full || level == len(b.levels)-1 {
			return
		}
		index /= wordBits
	}
}

// grow makes a level that has a word. The levels above it grow with it.
func (b *bitmap) grow(level, word int) {
	if level == len(b.levels) {
		var first []uint64
		if level > 0 && b.levels[level-1][0] == full {
			first = []uint64{1}
		}
		b.levels = append(b.levels, first)
	}
	for len(b.levels[level]) <= word {
		b.levels[level] = append(b.levels[level], 0)
	}
	if word > 0 {
		b.grow(level+1, word/wordBits)
	}
}

// release marks an index as free.
func (b *bitmap) release(index int) {
	for level := range b.levels {
		word := &b.levels[level][index/wordBits]
		wasFull := *word == full
		*word &^= 1 << (index % wordBits)
		if !wasFull {
			return
		}
		index /= wordBits
	}
}

// lowest returns the lowest free index.
func (b *bitmap) lowest() int {
	index := 0
	for level := len(b.levels) - 1; level >= 0; level-- {
		if index >= len(b.levels[level]) {
			index *= wordBits // this level ends before it
			continue
		}
		index = index*wordBits + bits.TrailingZeros64(^b.levels[level][index])
	}
	return index
}
