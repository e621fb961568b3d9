package kms

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// Kinds of objects that clients create, in a [drm.MissingError].
const (
	framebufferKind = "framebuffer"
	blobKind        = "property blob"
)

func notFound(what string, id uint32) error {
	return &drm.MissingError{Kind: what, ID: id, Text: fmt.Sprintf("kms: no %s with id %d", what, id), Errno: unix.ENOENT}
}

// invalid returns the EINVAL of a request.
func invalid(format string, args ...any) error { return refuse(unix.EINVAL, format, args...) }

// refuse returns an error that wraps errno.
func refuse(errno unix.Errno, format string, args ...any) error {
	return fmt.Errorf("kms: "+format+": %w", append(args, errno)...)
}
