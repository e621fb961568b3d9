package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// MonitorUsage says what [ParseMonitor] takes.
const MonitorUsage = `[NAME:]ITEM,ITEM… with modes as 2560x1440@60 or 1920x1080, the best one first; the size as 600x340mm; edid=FILE instead of all these; the connector as DP, HDMI-A, eDP …; disconnected`

// ParseMonitor reads what may stand in one word for a monitor, and the
// connector that it is plugged into:
//
//	DELL U2720Q:3840x2160@60,1920x1080,600x340mm,DP
//	1920x1080@144
//	edid=monitor.bin,HDMI-A,disconnected
//
// Modes are at 60 Hz where no rate is given, timings as in [edid.ModeFor].
// Without a size the picture has 96 pixels to the inch. serial tells monitors
// of one name from each other.
func ParseMonitor(spec string, serial int) (vkms.Connector, error) {
	var c vkms.Connector
	m := description{serial: serial}
	rest := spec
	if name, items, ok := strings.Cut(spec, ":"); ok && !strings.Contains(name, "=") {
		m.name, rest = name, items
	}
	refuse := func(err error) (vkms.Connector, error) { return c, fmt.Errorf("%q: %w", spec, err) }
	file := ""
	for item := range strings.SplitSeq(rest, ",") {
		path, isFile := strings.CutPrefix(item, "edid=")
		switch {
		case isFile && file == "":
			file = path
		case modeSpec.MatchString(item):
			mode, err := parseMode(item)
			if err != nil {
				return refuse(err)
			}
			m.modes = append(m.modes, mode)
		case strings.HasSuffix(item, "mm") && m.size == "":
			m.size = item
		case item == "disconnected" && c.Status == 0:
			c.Status = uapi.ModeDisconnected
		case connectorTypes.of(item) != 0 && c.Type == 0:
			c.Type = connectorTypes.of(item)
		default:
			return refuse(fmt.Errorf("item %q is unknown, or there twice; a monitor is %s", item, MonitorUsage))
		}
	}
	var err error
	if file == "" {
		c.Monitor, err = m.monitor()
	} else if m.name != "" || m.size != "" || m.modes != nil {
		err = errors.New("an EDID has the name, the size and the modes: do not give them as well")
	} else {
		c.Monitor, err = readEDID(file)
	}
	if err != nil {
		return refuse(err)
	}
	return c, nil
}

// connectorTypes are those that may be plugged into, by the kernel's names.
var connectorTypes = func() (list choices[uint32]) {
	for t := range uint32(math.MaxUint8) {
		if name := kms.ConnectorTypeName(t); name != "" && t != uapi.ModeConnectorUnknown && t != uapi.ModeConnectorWriteback {
			list = append(list, struct {
				word  string
				value uint32
			}{name, t})
		}
	}
	return list
}()

// of returns what a word means, the zero value when it means nothing.
func (c choices[T]) of(word string) (value T) {
	for _, choice := range c {
		if choice.word == word {
			return choice.value
		}
	}
	return value
}

// A description is what may be said of a monitor without having its EDID.
type description struct {
	name, manufacturer string
	size               string // as "600x340mm"; "" for the usual one
	modes              []edid.Mode
	serial             int
}

// What is not said of a monitor.
const (
	defaultName  = "udrm"
	pixelsAnInch = 96
	mmAnInch     = 25.4
)

// monitor makes the monitor, with an EDID.
func (d *description) monitor() (*kms.Monitor, error) {
	m := edid.Monitor{
		Manufacturer: d.manufacturer, Name: cmp.Or(d.name, defaultName), Serial: uint32(d.serial), Modes: d.modes,
	}
	if len(d.modes) == 0 {
		return nil, errors.New("it has no mode: give it one, such as 1920x1080@60")
	}
	if d.size == "" {
		mm := func(pixels uint16) int { return min(int(float64(pixels)*mmAnInch/pixelsAnInch), edid.MaxSizeMM) }
		m.WidthMM, m.HeightMM = mm(d.modes[0].HDisplay), mm(d.modes[0].VDisplay)
	} else {
		size := sizeSpec.FindStringSubmatch(d.size)
		if size == nil {
			return nil, fmt.Errorf("%q is no size: write it in mm, as 600x340mm", d.size)
		}
		m.WidthMM, m.HeightMM = number(size[1]), number(size[2])
	}
	data, err := m.Encode()
	if err != nil {
		return nil, err
	}
	return kms.MonitorFromEDID(data)
}

var (
	modeSpec = regexp.MustCompile(`^(\d+)x(\d+)(?:@(\d+(?:\.\d+)?))?$`)
	sizeSpec = regexp.MustCompile(`^(\d+)x(\d+)mm$`)
)

// number is that of digits. What is too large for any use stays so.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return math.MaxInt32
	}
	return n
}

// parseMode reads "2560x1440@60".
func parseMode(text string) (edid.Mode, error) {
	m := modeSpec.FindStringSubmatch(text)
	if m == nil {
		return edid.Mode{}, fmt.Errorf("%q is no mode: write it as 2560x1440@60", text)
	}
	refresh := 60.0
	if m[3] != "" {
		refresh, _ = strconv.ParseFloat(m[3], 64) // it reads as one; what is too large is refused below
	}
	width, height := number(m[1]), number(m[2])
	if width > vkms.MaxSize || height > vkms.MaxSize {
		return edid.Mode{}, fmt.Errorf("mode %s: a display shows %dx%d pixels at most", text, vkms.MaxSize, vkms.MaxSize)
	}
	return edid.ModeFor(width, height, refresh)
}

// monitor reads a monitor: in one word, as [ParseMonitor] has it but for what
// is of the connector, or as a mapping.
func (r *reader) monitor(n *yaml.Node, path string, serial int) *kms.Monitor {
	if v := resolved(n); v.Kind == yaml.ScalarNode && v.Tag != "!!null" {
		if strings.Contains(v.Value, "edid=") {
			r.fail(n, path, "%q: in a file, edid is an attribute of the connector", v.Value)
			return nil
		}
		c, err := ParseMonitor(v.Value, serial)
		switch {
		case err != nil:
			r.fail(n, path, "%v", err)
		case c.Type != 0 || c.Status != 0:
			r.fail(n, path, "%q: in a file, type and status are attributes of the connector", v.Value)
		}
		return c.Monitor
	}
	before := len(r.errs)
	d := description{serial: serial}
	text := func(s *string) func(*yaml.Node, string) {
		return func(n *yaml.Node, path string) { *s, _ = r.scalar(n, path) }
	}
	r.mapping(n, path, fields{
		"name":         text(&d.name),
		"manufacturer": text(&d.manufacturer),
		"size":         text(&d.size),
		"serial":       func(n *yaml.Node, path string) { r.int(n, path, &d.serial, 0, math.MaxInt32) },
		"modes": func(n *yaml.Node, path string) {
			for _, item := range r.items(n, path) {
				mode, err := parseMode(item.Value)
				if err != nil {
					r.fail(item, path, "%v", err)
					continue
				}
				d.modes = append(d.modes, mode)
			}
		},
	})
	if len(r.errs) > before {
		return nil
	}
	m, err := d.monitor()
	if err != nil {
		r.fail(n, path, "%v", err)
	}
	return m
}

// readEDID reads a monitor from a file.
func readEDID(file string) (*kms.Monitor, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m, err := kms.MonitorFromEDID(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

// ParseFormat reads the code of a pixel format in drm_fourcc.h, such as "XR30".
func ParseFormat(text string) (uint32, error) {
	format := fourcc.Parse(text)
	if format == nil {
		return 0, fmt.Errorf("%q is no pixel format: write a code of drm_fourcc.h, such as XR30 or NV12", text)
	}
	return format.Code, nil
}
