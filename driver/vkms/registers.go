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

// Registers are the display's hardware: a page that is mapped exactly while the
// parent is bound. They are the registration data of the device, so that only
// code inside a guard can find them.
//
// Invariant: code that writes a register runs inside a guard of the device, and
// the parent is bound. Why it holds: the only way to the registers is
// [registersOf], which requires the registered view. If the core broke its
// promise, an access would be reported to Config.Misuse and then fault.
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
	regScanout                        // id of the primary plane's framebuffer
	regCursor                         // id of the cursor plane's framebuffer
	regSize                           // width<<32 | height of the mode
	regClock                          // of the mode, in kHz
	regVblankIRQ                      // 1 while vblanks are enabled
	regVblank                         // number of the last vblank while enabled
	crtcRegisters                     // size of a CRTC's registers
)

const (
	registersSize = 4096
	regCommits    = register(registersSize - 8) // number of commits
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

// unmap unmaps the page. It leaves the field page alone, so that a later access
// faults instead of failing a check.
func (r *Registers) unmap() {
	if err := unix.Munmap(r.page); err != nil {
		panic(fmt.Sprintf("vkms: unmapping the registers: %v", err))
	}
}

// registersOf returns the registers of the device.
func registersOf(dev *drm.RegisteredDevice) *Registers {
	return drm.RegistrationData[*Registers](dev)
}

// access calls f with the registers. dev proves that they are mapped.
func (r *Registers) access(dev *drm.RegisteredDevice, f func(v registerView)) {
	if err := checkAccess(dev); err != nil {
		r.misuse(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f(registerView(r.page))
}

// checkAccess checks what dev promises: an open guard and a bound parent.
func checkAccess(dev *drm.RegisteredDevice) error {
	switch parent := dev.Parent(); {
	case dev.Guards() == 0:
		return errors.New("vkms: hardware access outside of a registration guard")
	case parent == nil || !parent.Bound():
		return errors.New("vkms: hardware access without a bound parent")
	}
	return nil
}

// A registerView is the page, for the callback of [Registers.access].
type registerView []byte

func (v registerView) read(r register) uint64 { return binary.LittleEndian.Uint64(v[r:]) }

func (v registerView) write(r register, value uint64) { binary.LittleEndian.PutUint64(v[r:], value) }
