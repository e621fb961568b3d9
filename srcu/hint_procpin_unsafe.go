//go:build srcu_procpin

package srcu

import _ "unsafe" // for go:linkname

// hint returns a number whose bits from lineShift up say which stripe to use:
// the number of the P that the goroutine runs on. It may run on another one
// right after; that costs a cache miss and breaks nothing.
func hint() uintptr {
	p := procPin()
	procUnpin()
	return uintptr(p) << lineShift
}

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()
