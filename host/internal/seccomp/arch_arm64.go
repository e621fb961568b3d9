package seccomp

import "golang.org/x/sys/unix"

// NativeArch is the architecture of 64-bit programs, as a filter names it.
const NativeArch = unix.AUDIT_ARCH_AARCH64

// CompatArch is the architecture of 32-bit programs.
const CompatArch = unix.AUDIT_ARCH_ARM

// NativeLimit is beyond the numbers of all calls.
const NativeLimit = 0x40000000
