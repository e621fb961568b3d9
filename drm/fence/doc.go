// Package fence implements fences, which tell when work is done, and sync
// files, which pass fences between processes.
//
// A [Fence] is signalled once, with success or an error and a timestamp, and
// stays signalled. The producer of the work creates the fence on a [Context];
// the fences of one context are signalled in order. A consumer calls
// [Fence.AddCallback], receives from [Fence.Done] or polls [Fence.Status].
//
// Fences combine. [Merge] returns a fence that is signalled when all its parts
// are. [NewChain] appends a point to a timeline: the point is signalled when
// its own fence and all points before it are.
//
// A [SyncFile] is a file descriptor for a fence (linux/sync_file.h). poll(2)
// reports it readable once the fence is signalled. A sync file outlives the
// device whose fence it holds. Unplugging a device signals its pending fences
// with ENODEV, so no consumer waits forever.
//
// Package drm/kms creates the fences of commits and waits for the fences that
// clients pass in. Package drm/syncobj gives fences handles.
//
// # Lock order
//
//	the lock of a composite fence → the locks of its parts
//
// Callbacks run in the goroutine that signals the fence, with no lock held.
// They must not block.
//
// # Where to start reading
//
// fence.go, then combine.go, chain.go and syncfile.go.
package fence
