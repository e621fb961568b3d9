package drm

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

func stack() string { return string(debug.Stack()) }

func (d *Device) reportLostEvent(f *File, err error) {
	slog.Error("drm: an event could not be delivered", "device", d.Name(), "pid", f.client.PID, "comm", f.client.Comm, "err", err)
}

// recoverTo makes a panic of a driver or part the EIO of one client, and
// reports it. It is deferred.
func (d *Device) recoverTo(err *error, what string, client Client) {
	p := recover()
	if p == nil {
		return
	}
	slog.Error("drm: a handler panicked; its client gets EIO",
		"device", d.Name(), "request", what, "pid", client.PID, "comm", client.Comm, "panic", p, "stack", stack())
	*err = fmt.Errorf("drm: %s on %s panicked: %v: %w", what, d.Name(), p, unix.EIO)
}

// recoverPart does the same for what no client has asked for.
func (d *Device) recoverPart(err *error, method string, of any) {
	p := recover()
	if p == nil {
		return
	}
	slog.Error("drm: a part panicked",
		"device", d.Name(), "part", fmt.Sprintf("%T", of), "method", method, "panic", p, "stack", stack())
	*err = fmt.Errorf("drm: %s of %T on %s panicked: %v: %w", method, of, d.Name(), p, unix.EIO)
}
