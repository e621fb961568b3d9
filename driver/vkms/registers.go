package vkms

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
)

// Registers are the display's hardware: a page that is mapped while the parent
// is bound, and not for a moment longer. It is the registration data of the
// device, so that only who is in a guard finds it.
//
// Invariant: whoever writes a register is in a guard of the device and the
// parent is bound. Why it holds: the only way to them is [registersOf], which
// wants the registered view. Should the core break its promise, access is
// reported to Config.Misuse, and then a segmentation fault.
type Registers struct {
	misuse func(error)

	mu   sync.Mutex
	page []byte
}

// A register is the offset of eight bytes.
type register int

// Registers of a CRTC, see [register.of].
const (
	regActive     register = 8 * iota // 1 when the CRTC is on
	regScanout                        // the framebuffer of the primary plane, by id
	regCursor                         // that of the cursor plane
	regSize                           // width<<32 | height of the mode
	regClock                          // of the mode, in kHz
	regVblankIRQ                      // 1 when vblanks are of interest
	regVblank                         // the number of the last one of interest
	crtcRegisters                     // the size of them all
)

const (
	registersSize = 4096
	regCommits    = register(registersSize - 8) // how many there were
)

// of returns the register of the CRTC with that index.
func (r register) of(crtc int) register { return register(crtc)*crtcRegisters + r }

// mapRegisters maps the page until the parent is unbound.
func mapRegisters(parent *bus.BoundDevice, misuse func(error)) (*Registers, error) {
	page, err := unix.Mmap(-1, 0, registersSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("vkms: mapping the registers of %s: %w", parent.Name(), err)
	}
	r := &Registers{misuse: misuse, page: page}
	if _, err := parent.Devres().Add("vkms registers", r.unmap); err != nil {
		return nil, err
	}
	return r, nil
}

// unmap leaves page as it is: an access must fault, not be caught by a check
// of ours.
func (r *Registers) unmap() {
	if err := unix.Munmap(r.page); err != nil {
		panic(fmt.Sprintf("vkms: unmapping the registers: %v", err))
	}
}

// registersOf returns the registers of the device.
func registersOf(dev *drm.RegisteredDevice) *Registers {
	return drm.RegistrationData[*Registers](dev)
}

// access runs f on the registers. dev is the proof that they are there.
func (r *Registers) access(dev *drm.RegisteredDevice, f func(v registerView)) {
	if err := checkAccess(dev); err != nil {
		r.misuse(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f(registerView(r.page))
}

// checkAccess looks for what the proof promises.
func checkAccess(dev *drm.RegisteredDevice) error {
	switch parent := dev.Parent(); {
	case dev.Guards() == 0:
		return errors.New("vkms: hardware is touched outside of a registration guard")
	case parent == nil || !parent.Bound():
		return errors.New("vkms: hardware is touched without a bound parent")
	}
	return nil
}

// A registerView is the page in the hands of [Registers.access].
type registerView []byte

func (v registerView) read(r register) uint64 { return binary.LittleEndian.Uint64(v[r:]) }

func (v registerView) write(r register, value uint64) { binary.LittleEndian.PutUint64(v[r:], value) }
