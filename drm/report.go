package drm

import (
	"log/slog"
	"runtime/debug"
)

func stack() string { return string(debug.Stack()) }

func (d *Device) reportLostEvent(f *File, err error) {
	slog.Error("drm: an event could not be delivered", "device", d.Name(), "pid", f.client.PID, "comm", f.client.Comm, "err", err)
}
