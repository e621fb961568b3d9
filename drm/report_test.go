package drm_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// logAt returns the options of a class that logs to out from level on.
func logAt(level slog.Level, out *bytes.Buffer) drm.ClassOptions {
	return drm.ClassOptions{Logger: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))}
}

// TestRefusalsAreLogged checks that each refused open, ioctl and mmap is logged
// with its client and the reason, at LevelDebug only, and that nothing else is.
func TestRefusalsAreLogged(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo} {
		var out bytes.Buffer
		toy := newUnregisteredToyOf(t, drm.NewClass(logAt(level, &out)), &drm.Driver{Ioctls: []drm.Ioctl{
			toyIoctl(0, 0, func(*drm.RegisteredDevice, *drm.Request) error { return errBroken }),
			toyIoctl(1, 0, func(*drm.RegisteredDevice, *drm.Request) error { return nil }),
		}})
		toy.register(t, nil)
		openAs(t, toy.dev.Primary(), user)
		c := openAs(t, toy.dev.Primary(), other)
		if err := call(c, 1); err != nil || out.Len() > 0 {
			t.Errorf("a request that succeeds: %v, logged as %s", err, &out)
		}
		_, openErr := toy.dev.Primary().Open(other, os.O_EXCL, nil)
		_, mmapErr := c.File.Mmap(drm.FakeOffsetMin, 4096)
		for _, tc := range []struct {
			request, errno, reason string
			err                    error
		}{
			{"open", "EBUSY", "exclusively", openErr},
			{"mmap", "EINVAL", "no buffer", mmapErr},
			{"0x6440", "EINVAL", errBroken.Error(), call(c, 0)},
			{"MODE_SETCRTC", "EACCES", "not the master", drmtest.Ioctl(c, uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{})},
			{"0x6478", "EINVAL", "has no request", c.File.Ioctl(context.Background(), by{c, user}, uapi.IO(0x78), 0)},
		} {
			if tc.err == nil || !strings.Contains(tc.err.Error(), tc.reason) {
				t.Errorf("%s: %v, want %q", tc.request, tc.err, tc.reason)
			}
			line, _ := out.ReadString('\n')
			if level > slog.LevelDebug {
				if line != "" {
					t.Errorf("logged at %v: %s", level, line)
				}
				continue
			}
			who := "pid=200 comm=other"
			if tc.request == "0x6478" {
				who = "pid=100 comm=user" // the process that sent it, not the one that opened the file
			}
			for _, want := range []string{"level=DEBUG", "request", tc.request, "node=card0", who, "errno=" + tc.errno, tc.reason} {
				if !strings.Contains(line, want) {
					t.Errorf("%s is logged without %q: %s", tc.request, want, line)
				}
			}
		}
		if out.Len() > 0 {
			t.Errorf("also logged: %s", &out)
		}
	}
}

// TestErrorsWrapAnErrno checks that an in-process client gets the reason, and
// that each error wraps the errno that a program sees.
func TestErrorsWrapAnErrno(t *testing.T) {
	toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{
		toyIoctl(0, 0, func(*drm.RegisteredDevice, *drm.Request) error { return errBroken })}})
	err := call(drmtest.Open(t, toy.dev.Primary()), 0)
	if !errors.Is(err, errBroken) || !errors.Is(err, unix.EINVAL) {
		t.Errorf("an error without an errno arrives as %v", err)
	}
}
