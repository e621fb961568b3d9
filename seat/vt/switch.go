package vt

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// modeSize is the size of struct vt_mode.
const modeSize = 8

// decodeMode decodes a struct vt_mode. EINVAL if there is no such mode.
func decodeMode(p []byte) (mode, error) {
	m := mode{p[0], p[1], int16(binary.NativeEndian.Uint16(p[2:])), int16(binary.NativeEndian.Uint16(p[4:]))}
	if m.mode != modeAuto && m.mode != modeProcess {
		return mode{}, fmt.Errorf("vt: VT_SETMODE: mode %d: %w", m.mode, unix.EINVAL)
	}
	return m, nil
}

func (m mode) encode() []byte {
	p := []byte{m.mode, m.waits}
	p = binary.NativeEndian.AppendUint16(p, uint16(m.release))
	p = binary.NativeEndian.AppendUint16(p, uint16(m.acquired))
	return append(p, 0, 0)
}

// openQuery serves VT_OPENQRY: the number of a terminal that no program uses.
func openQuery(r *request) (int64, error) {
	for number := 1; number <= Count; number++ {
		if !r.used(number) {
			return r.putInt(int32(number))
		}
	}
	return r.putInt(-1)
}

// used reports whether a program uses a terminal.
func (t *Terminals) used(number int) bool {
	if t.seat.HasSession(number) {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.opened[number] != nil && t.opened[number].inUse()
}

// getState serves VT_GETSTATE: the terminal in the foreground, and a bit for each
// of the first 16 that is used. Bit 0 stands for /dev/tty0.
func getState(r *request) (int64, error) {
	state := uint16(1)
	for number := 1; number < 16; number++ {
		if r.used(number) {
			state |= 1 << number
		}
	}
	var old [6]byte // the kernel leaves v_signal as it is
	if err := r.get(old[:]); err != nil {
		return 0, err
	}
	binary.NativeEndian.PutUint16(old[0:], uint16(r.seat.Front()))
	binary.NativeEndian.PutUint16(old[4:], state)
	return 0, r.put(old[:])
}

// getMode serves VT_GETMODE.
func getMode(r *request) (int64, error) {
	var m mode
	_ = r.terminal(func(t *terminal) int32 { m = t.mode; return 0 })
	return 0, r.put(m.encode())
}

// setMode serves VT_SETMODE.
func setMode(r *request) (int64, error) {
	var p [modeSize]byte
	if err := r.get(p[:]); err != nil {
		return 0, err
	}
	m, err := decodeMode(p[:])
	if err != nil {
		return 0, err
	}
	return 0, r.setMode(r.number, m)
}

// setMode changes how a terminal is switched. The process of the caller controls
// it from then on, or no process does.
func (r *request) setMode(number int, m mode) error {
	pid := r.caller.Client().PID
	if m.mode == modeProcess && r.keepOwner(number, pid, m) {
		return nil
	}
	old := r.exchange(number, mode{}, nil)
	if old != nil {
		old.end()
	}
	var o *owner
	if m.mode == modeProcess {
		var err error
		if o, err = r.newOwner(number, pid, m); err != nil {
			return err
		}
	}
	if other := r.exchange(number, m, o); other != nil { // of a request at the same time
		other.end()
	}
	return nil
}

// keepOwner changes the signals of a process that controls a terminal already.
func (r *request) keepOwner(number, pid int, m mode) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.opened[number]
	if t.owner == nil || t.owner.pid != pid {
		return false
	}
	t.mode = m
	t.owner.setSignals(m)
	return true
}

// exchange sets the mode and the owner of a terminal, and returns the owner
// before.
func (r *request) exchange(number int, m mode, o *owner) (old *owner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.opened[number]
	old = t.owner
	t.mode, t.owner = m, o
	return old
}

// releaseDisplay serves VT_RELDISP, the answer of the owner to a switch.
func releaseDisplay(r *request) (int64, error) {
	var o *owner
	var m mode
	_ = r.terminal(func(t *terminal) int32 { o, m = t.owner, t.mode; return 0 })
	if m.mode != modeProcess || o == nil {
		return 0, fmt.Errorf("vt: terminal %d: VT_RELDISP, but no process controls it: %w", r.number, unix.EINVAL)
	}
	var err error
	if r.arg == 0 {
		err = o.session.Refuse()
	} else {
		err = o.session.Disabled()
	}
	if err != nil && r.arg != ackAcquired {
		return 0, fmt.Errorf("vt: terminal %d: VT_RELDISP without a switch: %w", r.number, unix.EINVAL)
	}
	return 0, nil
}

// activate serves VT_ACTIVATE.
func activate(r *request) (int64, error) {
	if r.arg == 0 || r.arg > Count {
		return 0, unix.ENXIO
	}
	r.switchTo(int(r.arg))
	return 0, nil
}

// switchTo switches to a terminal, unless the kernel would not switch: while
// switches are locked, or while a program draws on the terminal in the foreground
// and could not be told.
func (r *request) switchTo(number int) {
	front := r.seat.Front()
	drawn := !r.seat.HasSession(front)
	r.mu.Lock()
	t := r.opened[front]
	stays := r.locked || drawn && t != nil && t.graphics && t.owner == nil
	r.mu.Unlock()
	if front != number && stays {
		return
	}
	r.seat.SwitchTo(number)
}

// setActivate serves VT_SETACTIVATE: VT_SETMODE and VT_ACTIVATE of a terminal. Its
// argument is the number and a struct vt_mode.
func setActivate(r *request) (int64, error) {
	var p [4 + modeSize]byte
	if err := r.get(p[:]); err != nil {
		return 0, err
	}
	number := binary.NativeEndian.Uint32(p[:])
	if number == 0 || number > Count {
		return 0, unix.ENXIO
	}
	m, err := decodeMode(p[4:])
	if err != nil {
		return 0, err
	}
	if err := r.make(int(number)); err != nil {
		return 0, err
	}
	if err := r.setMode(int(number), m); err != nil {
		return 0, err
	}
	r.switchTo(int(number))
	return 0, nil
}

func (r *request) lockSwitch(locked bool) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.locked = locked
	return 0, nil
}
