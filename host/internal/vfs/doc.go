// Package vfs lays a [Tree] of virtual files over the real file tree, and walks
// paths through both.
//
// A virtual directory either replaces the real one (own) or adds its entries to
// it. The directories on the way to a virtual file only add. So a walk changes
// between the two trees at any component: /sys is real, /sys/class/drm may be
// virtual, its link card0/device/subsystem leads to the real /sys/bus/platform,
// which has the link of the virtual device.
//
// A tree is made, then only read: a change is a new tree. The package makes no
// system calls; it asks a [Real] for real links.
package vfs
