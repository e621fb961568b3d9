package main

import "golang.org/x/sys/unix"

// Calls that have other names on older architectures.
const (
	dup2 = unix.SYS_DUP3
	poll = unix.SYS_PPOLL

	noTimeout = 1 // of poll: an address that cannot be read
)
