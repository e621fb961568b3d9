// Package udev speaks to programs as the kernel and udevd do: it formats
// uevents and records of udev's database, and sends uevents to monitors.
//
// An [Event] becomes two messages, one as the kernel sends it and one as udevd
// does. [Monitors] are the sockets on which programs listen. A [Record] is a
// file of /run/udev/data.
//
// Lock order: substitute.mu, that of drm.Account. netlink.mu and
// processNamespace.mu are leaves.
//
// The package knows nothing of DRM devices. Sources: libudev's monitor
// (systemd, src/libsystemd/sd-device), udev(7).
package udev
