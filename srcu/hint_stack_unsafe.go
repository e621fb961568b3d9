//go:build !srcu_procpin

package srcu

import "unsafe"

// hint returns a number whose bits from lineShift up say which stripe to use: a
// hash of where the goroutine's stack is. Goroutines that run at the same time
// have different stacks, and one that enters again from the same place gets the
// same stripe, whose line its processor still has.
//
// The multiplier is 2⁶⁴ divided by the golden ratio. Only the top bits of the
// product depend on all bits of the address.
func hint() uintptr {
	var here byte
	return uintptr(uint64(uintptr(unsafe.Pointer(&here))) * 0x9e3779b97f4a7c15 >> (64 - 12 - lineShift))
}
