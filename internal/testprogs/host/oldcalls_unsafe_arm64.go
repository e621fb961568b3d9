package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// poll is a call that polls, and noTimeout its third argument.
const poll = unix.SYS_PPOLL

var zero unix.Timespec

func noTimeout() uintptr { return uintptr(unsafe.Pointer(&zero)) }
