package drm

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

func stack() string { return string(debug.Stack()) }

// logRefusal logs that a client was refused something, and why. It costs
// nothing measurable when the logger of the class is not at slog.LevelDebug.
func (d *Device) logRefusal(ctx context.Context, request, node string, client Client, err error) {
	errno := unix.ErrnoName(Errno(err))
	d.class.Logger().LogAttrs(ctx, slog.LevelDebug, "drm: request refused",
		slog.String("request", request), slog.String("node", node), slog.Int("pid", client.PID), slog.String("comm", client.Comm),
		slog.String("errno", errno), slog.String("reason", err.Error()))
}

// logsRefusals reports whether to call logRefusal.
func (d *Device) logsRefusals(ctx context.Context) bool {
	return d.class.Logger().Enabled(ctx, slog.LevelDebug)
}

func (d *Device) reportLostEvent(f *File, err error) {
	d.class.Logger().Error("drm: an event could not be delivered", "device", d.Name(), "pid", f.client.PID, "comm", f.client.Comm, "err", err)
}

// recoverTo makes a panic of a driver or part the EIO of one client, and
// reports it. It is deferred.
func (d *Device) recoverTo(err *error, p purpose) {
	value := recover()
	if value == nil {
		return
	}
	what, client := p.name(), p.client()
	d.class.Logger().Error("drm: a handler panicked; its client gets EIO",
		"device", d.Name(), "request", what, "pid", client.PID, "comm", client.Comm, "panic", value, "stack", stack())
	*err = fmt.Errorf("drm: %s on %s panicked: %v: %w", what, d.Name(), value, unix.EIO)
}

// recoverPart does the same for calls that no client asked for.
func (d *Device) recoverPart(err *error, method string, of any) {
	p := recover()
	if p == nil {
		return
	}
	d.class.Logger().Error("drm: a part panicked",
		"device", d.Name(), "part", fmt.Sprintf("%T", of), "method", method, "panic", p, "stack", stack())
	*err = fmt.Errorf("drm: %s of %T on %s panicked: %v: %w", method, of, d.Name(), p, unix.EIO)
}
