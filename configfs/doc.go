// Package configfs is the part of the kernel's configfs that drivers need: a file
// system in which programs make directories, which are items, and so configure a
// driver.
//
// A driver describes its items with a [Type] each: the attributes, which are
// files, what a mkdir makes, and which links are allowed. A [FS] holds the items
// and knows the rules that are the same for all: what is busy, what is not empty,
// and what cannot be removed.
//
// Driver vkms describes its cards so, and package host shows a FS below
// /sys/kernel/config.
//
// Lock order: FS.changes (one change at a time), then the driver's locks, then
// FS.mu.
//
// Start reading at [Type] and [FS.Mkdir].
package configfs
