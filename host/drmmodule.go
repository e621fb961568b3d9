package host

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
)

// coreParameters are parameters of the kernel's module drm. Scripts of test suites
// set them, debug mostly. They keep what was written, and change nothing: udrm has
// a log and a clock of its own.
type coreParameters struct {
	debug              atomic.Uint64
	vblankOffDelay     atomic.Int64 // milliseconds
	timestampPrecision atomic.Int64 // microseconds
}

// newCoreParameters returns them with the kernel's defaults.
func newCoreParameters() *coreParameters {
	p := new(coreParameters)
	p.vblankOffDelay.Store(5000)
	p.timestampPrecision.Store(20)
	return p
}

// add adds the directory of the module, which all the modules use.
func (p *coreParameters) add(t *vfs.Tree, modules []string) {
	const dir = "/sys/module/drm"
	t.AddDir(dir)
	t.AddDir(dir + "/holders")
	for _, module := range modules {
		t.AddLink(dir+"/holders/"+module, "../../"+module)
	}
	t.AddFile(dir+"/initstate", 0o444, constant("live\n"))
	t.AddFile(dir+"/parameters/edid_fixup", 0o400, constant("6\n"))
	t.AddContent(dir+"/parameters/debug", 0o600, numberParameter(&p.debug, 64, strconv.ParseUint))
	t.AddContent(dir+"/parameters/vblankoffdelay", 0o600, numberParameter(&p.vblankOffDelay, 32, strconv.ParseInt))
	t.AddContent(dir+"/parameters/timestamp_precision_usec", 0o600, numberParameter(&p.timestampPrecision, 32, strconv.ParseInt))
}

// numberParameter is a parameter of a type that has so many bits.
func numberParameter[N int64 | uint64](v interface {
	Load() N
	Store(N)
}, bits int, parse func(string, int, int) (N, error)) vfs.Content {
	return vfs.Content{
		Show: func() string { return fmt.Sprintln(v.Load()) },
		Store: func(data string) error {
			n, err := parseParameter(data, bits, parse)
			if err == nil {
				v.Store(n)
			}
			return err
		},
	}
}

// parseParameter reads a number as the kernel does (kstrtox.c). Errors: EINVAL;
// ERANGE if it does not fit into the bits.
func parseParameter[N int64 | uint64](data string, bits int, parse func(string, int, int) (N, error)) (N, error) {
	text := strings.TrimPrefix(trimLine(data), "+")
	digits := strings.TrimPrefix(text, "-")
	base := 10
	switch {
	case strings.HasPrefix(digits, "0x"), strings.HasPrefix(digits, "0X"):
		base, text = 16, text[:len(text)-len(digits)]+digits[2:]
	case strings.HasPrefix(digits, "0"):
		base = 8
	}
	n, err := parse(text, base, bits)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("host: %q does not fit into %d bits: %w", data, bits, unix.ERANGE)
	case err != nil:
		return 0, fmt.Errorf("host: %q is not a number: %w", data, unix.EINVAL)
	}
	return n, nil
}
