package kms

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func notFound(what string, id uint32) error {
	return fmt.Errorf("kms: no %s with id %d: %w", what, id, unix.ENOENT)
}

// invalid returns the EINVAL of a request.
func invalid(format string, args ...any) error { return refuse(unix.EINVAL, format, args...) }

// refuse returns an error that wraps errno.
func refuse(errno unix.Errno, format string, args ...any) error {
	return fmt.Errorf("kms: "+format+": %w", append(args, errno)...)
}
