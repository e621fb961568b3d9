package vt

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// defaultColours are the colours of a text console, red, green and blue of each.
var defaultColours = [3 * 16]byte{
	0x00, 0x00, 0x00, 0xaa, 0x00, 0x00, 0x00, 0xaa, 0x00, 0xaa, 0x55, 0x00,
	0x00, 0x00, 0xaa, 0xaa, 0x00, 0xaa, 0x00, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
	0x55, 0x55, 0x55, 0xff, 0x55, 0x55, 0x55, 0xff, 0x55, 0xff, 0xff, 0x55,
	0x55, 0x55, 0xff, 0xff, 0x55, 0xff, 0x55, 0xff, 0xff, 0xff, 0xff, 0xff,
}

// setGraphics serves KDSETMODE.
func setGraphics(r *request) (int64, error) {
	switch r.arg {
	case kdText, kdGraphics, kdText0, kdText1:
		return r.set(func(t *terminal) { t.graphics = r.arg == kdGraphics })
	}
	return 0, r.invalid("KDSETMODE")
}

// setKeyboard serves KDSKBMODE.
func setKeyboard(r *request) (int64, error) {
	if r.arg > kbOff {
		return 0, r.invalid("KDSKBMODE")
	}
	return r.set(func(t *terminal) { t.keyboard = byte(r.arg) })
}

// setMeta serves KDSKBMETA.
func setMeta(r *request) (int64, error) {
	if r.arg != metaBit && r.arg != metaPrefix {
		return 0, r.invalid("KDSKBMETA")
	}
	return r.set(func(t *terminal) { t.meta = byte(r.arg) })
}

// setLEDs serves KDSKBLED.
func setLEDs(r *request) (int64, error) {
	if r.arg&^ledsMask != 0 {
		return 0, r.invalid("KDSKBLED")
	}
	return r.set(func(t *terminal) { t.leds = byte(r.arg) })
}

// keymapEntry serves KDGKBENT with an empty keymap. Its argument is a
// struct kbentry: the table, the index, and the value that is returned.
func keymapEntry(r *request) (int64, error) {
	var entry [4]byte
	if err := r.get(entry[:]); err != nil {
		return 0, err
	}
	value := uint16(keyHole)
	if entry[0] != mapPlain && entry[1] == 0 {
		value = keyNoSuchMap
	}
	binary.NativeEndian.PutUint16(entry[2:], value)
	return 0, r.put(entry[:])
}

func (r *request) colourMap() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]byte(nil), r.colours[:]...)
}

// setColourMap serves PIO_CMAP.
func setColourMap(r *request) (int64, error) {
	var colours [3 * 16]byte
	if err := r.get(colours[:]); err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.colours = colours
	return 0, nil
}

// disallocate serves VT_DISALLOCATE: a terminal without programs loses its
// settings.
func disallocate(r *request) (int64, error) {
	if r.arg > Count {
		return 0, unix.ENXIO
	}
	front := r.seat.Front()
	r.mu.Lock()
	defer r.mu.Unlock()
	for number, t := range r.opened {
		if t == nil || r.arg != 0 && int(r.arg) != number {
			continue
		}
		if t.inUse() || number == front {
			if r.arg != 0 {
				return 0, unix.EBUSY
			}
			continue
		}
		if t.owner == nil {
			t.reset()
		}
	}
	return 0, nil
}
