// Package srcu is sleepable RCU with a gate that closes for good: read-side
// critical sections that cost two uncontended atomic adds, may sleep and may end
// on another goroutine, and a writer that waits for them.
package srcu
