//go:build srcu_membarrier && linux && race

package srcu

import "sync/atomic"

// increment is atomic for the race detector, which knows nothing of
// membarrier(2).
func increment(n *int64) { atomic.AddInt64(n, 1) }
