//go:build srcu_membarrier && linux && !race

package srcu

// increment adds one to a count of the P that the caller is pinned to. Waiters
// read it at the same time.
func increment(n *int64) { *n++ }
