package drm

import (
	"errors"

	"golang.org/x/sys/unix"
)

// A MissingError is the error of a request that names an object that does not
// exist, or that the client does not have.
type MissingError struct {
	Kind  string // "framebuffer", "handle", "property blob", …
	ID    uint32
	Text  string // what was refused, and why
	Errno unix.Errno
}

// Error implements error.
func (e *MissingError) Error() string { return e.Text + ": " + e.Errno.Error() }

// Unwrap returns the errno.
func (e *MissingError) Unwrap() error { return e.Errno }

// Missing returns the [MissingError] in err, or nil if it has none.
func Missing(err error) *MissingError {
	var missing *MissingError
	if errors.As(err, &missing) {
		return missing
	}
	return nil
}
