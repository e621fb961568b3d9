// Package vfs says what is at which path, for programs that are shown more
// files than there are: a [Tree] of virtual nodes laid over the real file
// tree, and the walk of a path through both.
//
// A virtual directory either replaces what is really there (own), or adds its
// nodes to it. The directories on the way to a virtual node only add. A walk
// therefore changes between the two worlds at any component: /sys is real,
// /sys/class/drm may be virtual, its link card0/device/subsystem leads to the
// real /sys/bus/platform, in which the link of the virtual device appears.
//
// A tree is made, then only read: a change is a new tree. The package makes
// no system calls; what is really there it asks of a [Real].
package vfs
