package host

import "github.com/udrm/udrm/drm/gem"

// hasGiven reports whether a program may have a descriptor of a file that the host
// made. Until then all calls on descriptors are native, and a worker needs no look
// at /proc for them. With mounts, the same holds for stat and readlink, which matter
// only for paths that lead to a descriptor.
//
// Invariant: if hasGiven returns false, openedAs finds nothing behind any
// descriptor that a program had before.
//
// Why it holds: openedAs asks the parts below, and no others. Each counts a file
// before it returns the descriptor that is passed on to the program. Nodes, writes
// to virtual files and dma-bufs are counted until their last descriptor is closed.
// The kernel does not tell when the others are closed: they count for ever.
func (h *Host) hasGiven() bool {
	return h.files.Count() > 0 || h.attributes.Count() > 0 || gem.DMABufs() > 0 ||
		h.snapshots.Any() || h.chardevs.any.Load() || h.shadow.Any() ||
		h.terminals != nil && h.terminals.Any()
}
