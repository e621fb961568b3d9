package vt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// A request is an ioctl on a terminal.
type request struct {
	ctx    context.Context
	caller drm.Caller
	*Terminals
	number int
	arg    uint64
}

// Ioctl serves a request on a terminal, which need not be open. The caller may do what the
// kernel lets only root do, and the processes of the terminal. result is what
// ioctl(2) returns. ENOTTY for requests that are not of a virtual terminal.
func (t *Terminals) Ioctl(ctx context.Context, caller drm.Caller, number int, cmd uint32, arg uint64) (result int64, err error) {
	serve := requests[cmd]
	if serve == nil {
		return 0, fmt.Errorf("vt: terminal %d has no request %#x: %w", number, cmd, unix.ENOTTY)
	}
	if err := t.make(number); err != nil {
		return 0, err
	}
	return serve(&request{ctx, caller, t, number, arg})
}

var requests = map[uint32]func(*request) (int64, error){
	kdGKBType: func(r *request) (int64, error) { return r.putByte(kbType101) },
	kdSetMode: setGraphics,
	kdGetMode: func(r *request) (int64, error) {
		return r.putInt(r.terminal(func(t *terminal) int32 { return asInt(t.graphics) }))
	},
	kdMapDisp:   refuse(unix.EINVAL),
	kdUnmapDisp: refuse(unix.EINVAL),
	kdAddIO:     refuse(unix.EINVAL),
	kdDelIO:     refuse(unix.EINVAL),
	kdEnabIO:    refuse(unix.ENXIO),
	kdDisabIO:   refuse(unix.ENXIO),
	kdFontOp:    refuse(unix.ENOSYS),
	kdMkTone:    accept,
	kiocSound:   accept,
	vtResize:    accept,
	vtResizeX:   accept,
	kdGKBMode: func(r *request) (int64, error) {
		return r.putInt(r.terminal(func(t *terminal) int32 { return int32(t.keyboard) }))
	},
	kdSKBMode: setKeyboard,
	kdGKBMeta: func(r *request) (int64, error) {
		return r.putInt(r.terminal(func(t *terminal) int32 { return int32(t.meta) }))
	},
	kdSKBMeta: setMeta,
	kdGKBLED: func(r *request) (int64, error) {
		return r.putByte(byte(r.terminal(func(t *terminal) int32 { return int32(t.leds) })))
	},
	kdSKBLED:     setLEDs,
	kdGetLED:     func(r *request) (int64, error) { return r.putByte(0) },
	kdSetLED:     accept,
	kdGKBEnt:     keymapEntry,
	kdSKBEnt:     accept,
	kdGKBDiacr:   func(r *request) (int64, error) { return r.putInt(0) },
	kdGKBDiacrUC: func(r *request) (int64, error) { return r.putInt(0) },
	gioCMap:      func(r *request) (int64, error) { return 0, r.put(r.colourMap()) },
	pioCMap:      setColourMap,

	vtOpenQuery:   openQuery,
	vtGetMode:     getMode,
	vtSetMode:     setMode,
	vtGetState:    getState,
	vtRelDisp:     releaseDisplay,
	vtActivate:    activate,
	vtSetActivate: setActivate,
	vtWaitActive:  waitActive,
	vtDisallocate: disallocate,
	vtLockSwitch:  func(r *request) (int64, error) { return r.lockSwitch(true) },
	vtUnlock:      func(r *request) (int64, error) { return r.lockSwitch(false) },
	vtHiFontMask:  func(r *request) (int64, error) { return 0, r.put([]byte{0, 0}) },
	tioclinux:     tioclinuxRequest,
}

func accept(*request) (int64, error) { return 0, nil }

func refuse(errno unix.Errno) func(*request) (int64, error) {
	return func(r *request) (int64, error) { return 0, errno }
}

func asInt(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// invalid returns the EINVAL for an argument.
func (r *request) invalid(what string) error {
	return fmt.Errorf("vt: terminal %d: %s %d: %w", r.number, what, r.arg, unix.EINVAL)
}

// terminal calls get with the terminal, and mu held.
func (r *request) terminal(get func(*terminal) int32) int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return get(r.opened[r.number])
}

func (r *request) set(change func(*terminal)) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r.opened[r.number])
	return 0, nil
}

func (r *request) put(p []byte) error { return r.caller.CopyToUser(r.arg, p) }

func (r *request) putInt(v int32) (int64, error) {
	return 0, r.put(binary.NativeEndian.AppendUint32(nil, uint32(v)))
}

func (r *request) putByte(v byte) (int64, error) { return 0, r.put([]byte{v}) }

func (r *request) get(p []byte) error { return r.caller.CopyFromUser(p, r.arg) }

// tioclinuxRequest serves the requests whose number is in memory.
func tioclinuxRequest(r *request) (int64, error) {
	var code [1]byte
	if err := r.get(code[:]); err != nil {
		return 0, err
	}
	switch code[0] {
	case tioclGetForeground:
		return int64(r.seat.Front() - 1), nil
	case tioclGetShiftState:
		return 0, r.put([]byte{0})
	}
	return 0, fmt.Errorf("vt: terminal %d: TIOCLINUX %d: %w", r.number, code[0], unix.EINVAL)
}

// waitActive waits until a terminal is in the foreground.
func waitActive(r *request) (int64, error) {
	if r.arg == 0 || r.arg > Count {
		return 0, unix.ENXIO
	}
	if r.seat.Front() == int(r.arg) {
		return 0, nil
	}
	if err := r.seat.AwaitFront(r.ctx, int(r.arg)); err != nil {
		return 0, errors.Join(unix.EINTR, err)
	}
	return 0, nil
}
