package seccomp

import "golang.org/x/sys/unix"

// NativeArch is the architecture of 64-bit programs, as a filter names it.
const NativeArch = unix.AUDIT_ARCH_X86_64

// CompatArch is the architecture of 32-bit programs, and of int 0x80.
const CompatArch = unix.AUDIT_ARCH_I386

// NativeLimit is where the numbers of the x32 ABI begin.
const NativeLimit = 0x40000000
