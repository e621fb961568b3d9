//go:build !arm64

package main

import "golang.org/x/sys/unix"

// oldPathCalls are calls on a path, their first argument, that newer architectures
// lack.
var oldPathCalls = []uintptr{unix.SYS_STAT, unix.SYS_LSTAT, unix.SYS_ACCESS, unix.SYS_READLINK}

func isAccess(nr uintptr) bool { return nr == unix.SYS_ACCESS }

// poll is a call that polls, and noTimeout its third argument.
const poll = unix.SYS_POLL

func noTimeout() uintptr { return 0 }
