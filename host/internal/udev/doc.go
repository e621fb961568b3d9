// Package udev speaks to programs as the kernel and udevd do: it formats
// uevents and records of udev's database, and sends uevents to monitors.
//
// An [Event] becomes two messages, one as the kernel sends it and one as udevd
// does. [Monitors] are the sockets on which programs listen. A [Record] is a
// file of /run/udev/data.
//
// The package knows nothing of DRM. Sources: libudev's monitor
// (systemd, src/libsystemd/sd-device), udev(7).
package udev
