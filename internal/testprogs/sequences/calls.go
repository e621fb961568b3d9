//go:build !arm64

package main

import "golang.org/x/sys/unix"

// Calls that have other names on newer architectures.
const (
	dup2 = unix.SYS_DUP2
	poll = unix.SYS_POLL

	noTimeout = 0 // of poll
)
