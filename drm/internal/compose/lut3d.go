package compose

// A LUT3D is a table of colours for a cube of Size colours each way: red changes
// first, then green, then blue. It interpolates in tetrahedra, and limits
// colours to [0, 1].
type LUT3D struct {
	Size    int
	Entries [][3]float64
}

func (l *LUT3D) do(c *[3]float64) {
	last := l.Size - 1
	var corner [3]int
	var share [3]float64
	for i := range c {
		at := unit(c[i]) * float64(last)
		corner[i] = min(int(at), max(last-1, 0))
		share[i] = at - float64(corner[i])
	}
	// From the corner next to black, the way to the opposite one goes along the
	// axes, the one with the largest share first.
	order := [3]int{0, 1, 2}
	for i := 1; i < 3; i++ {
		for j := i; j > 0 && share[order[j]] > share[order[j-1]]; j-- {
			order[j], order[j-1] = order[j-1], order[j]
		}
	}
	before := 1.0
	var sum [3]float64
	for step := range 4 {
		next := 0.0
		if step < 3 {
			next = share[order[step]]
		}
		e := l.Entries[corner[0]+l.Size*(corner[1]+l.Size*corner[2])]
		for i := range sum {
			sum[i] += (before - next) * e[i]
		}
		if before = next; step < 3 && next > 0 {
			corner[order[step]] = min(corner[order[step]]+1, last)
		}
	}
	*c = sum
}
