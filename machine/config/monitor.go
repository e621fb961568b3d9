package config

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/misspelt"
)

// MonitorUsage describes the argument of [ParseMonitor].
const MonitorUsage = `[NAME:]ITEM,ITEM…, where an ITEM is a mode (2560x1440@60 or 1920x1080, the preferred one first), a size (600x340mm), hdr, vrr=48-144, non-desktop, tile=2x1+0+0 (columns, rows and place in a monitor of several tiles), a connector type (DP, HDMI-A, eDP, …) or disconnected; edid=FILE replaces name, modes and size`

// ParsePluggedMonitor parses a monitor to plug into a connector that there is: it is
// written as for [ParseMonitor], without the connector. "" is nil, which stands for
// the monitor that a connector is described with.
func ParsePluggedMonitor(spec string) (*kms.Monitor, error) {
	if spec == "" {
		return nil, nil
	}
	c, err := ParseMonitor(spec, 1)
	if err == nil && (c.Type != 0 || c.Status != 0) {
		err = fmt.Errorf("%q: only the monitor is written here; leave out the type of the connector and \"disconnected\"", spec)
	}
	return c.Monitor, err
}

// ParseMonitor parses a monitor, and the connector that it is plugged into,
// written as one word:
//
//	DELL U2720Q:3840x2160@60,1920x1080,600x340mm,DP
//	1920x1080@144
//	edid=monitor.bin,HDMI-A,disconnected
//
// A mode without a rate has 60 Hz; timings are those of [mode.For]. The
// default size has 96 pixels per inch. serial is the monitor's serial number,
// which distinguishes monitors of one name.
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
		case modeSpec().MatchString(item):
			mode, err := parseMode(item)
			if err != nil {
				return refuse(err)
			}
			m.modes = append(m.modes, mode)
		case strings.HasSuffix(item, "mm") && m.size == "":
			m.size = item
		case item == "disconnected" && c.Status == 0:
			c.Status = uapi.ModeDisconnected
		case item == "hdr" && !m.hdr:
			m.hdr = true
		case item == "non-desktop" && !m.nonDesktop:
			m.nonDesktop = true
		case strings.HasPrefix(item, "vrr=") && m.vrr == "":
			m.vrr = strings.TrimPrefix(item, "vrr=")
		case strings.HasPrefix(item, "tile=") && m.tile == "":
			m.tile = strings.TrimPrefix(item, "tile=")
		case connectorTypes.of(item) != 0 && c.Type == 0:
			c.Type = connectorTypes.of(item)
		default:
			return refuse(unknownItem(item))
		}
	}
	var err error
	if file == "" {
		c.Monitor, err = m.monitor()
	} else if m.name != "" || m.size != "" || m.modes != nil || m.hdr || m.nonDesktop || m.vrr != "" || m.tile != "" {
		err = errors.New("the EDID has the name, the size, the modes and the like; do not give them too")
	} else {
		c.Monitor, err = readEDID(file)
	}
	if err != nil {
		return refuse(err)
	}
	return c, nil
}

// unknownItem returns an error for an item of a monitor that is unknown, or that
// is there twice.
func unknownItem(item string) error {
	known := slices.Concat(connectorTypes.words(), []string{"disconnected", "hdr", "non-desktop", "vrr=48-144", "tile=2x1+0+0"})
	name, value, hasValue := strings.Cut(item, "=")
	rewritten := strings.NewReplacer("*", "x", "X", "x", "×", "x", "@@", "@").Replace(strings.TrimRight(item, "HhZz@"))
	switch {
	case item == "":
		return errors.New("an item is empty; write a monitor as " + MonitorUsage)
	case hasValue && value != "" && slices.Contains([]string{"edid", "vrr", "tile"}, name), slices.Contains(known, item), strings.HasSuffix(item, "mm"):
		return fmt.Errorf("%s is there twice, or two items exclude each other", item)
	case rateSpec().MatchString(item):
		return fmt.Errorf("%s is not a mode; write the rate behind one, as in 1920x1080@%s", item, rateSpec().FindStringSubmatch(item)[1])
	case rewritten != item && modeSpec().MatchString(rewritten):
		return fmt.Errorf("unknown item %s; did you mean %s?", item, rewritten)
	}
	if nearest := misspelt.Nearest(item, known); nearest != "" {
		return fmt.Errorf("unknown item %s; did you mean %s?", item, nearest)
	}
	return fmt.Errorf("unknown item %q; write a monitor as %s", item, MonitorUsage)
}

// connectorTypes are the connector types that take a monitor, by their names
// in the kernel.
var connectorTypes = func() (list choices[uint32]) {
	for t := range uint32(math.MaxUint8) {
		if name := kms.ConnectorTypeName(t); name != "" && t != uapi.ModeConnectorUnknown && t != uapi.ModeConnectorWriteback {
			list = append(list, choice[uint32]{name, t})
		}
	}
	return list
}()

// ParseConnectorType parses the name of a connector type that takes a monitor,
// such as "DP".
func ParseConnectorType(text string) (uint32, error) {
	if t := connectorTypes.of(text); t != 0 {
		return t, nil
	}
	return 0, fmt.Errorf("%q is not a type of connector; %s", text, suggest(text, connectorTypes.words()))
}

// of returns the value of a word, the zero value for an unknown word.
func (c choices[T]) of(word string) (value T) {
	for _, choice := range c {
		if choice.word == word {
			return choice.value
		}
	}
	return value
}

// A description describes a monitor whose EDID is to be made.
type description struct {
	name, manufacturer string
	size               string // as "600x340mm"; "" for the default
	modes              []mode.Mode
	serial             int
	nonDesktop         bool   // a headset or the like
	hdr                bool   // a high dynamic range
	vrr                string // limits of a variable refresh rate, as "48-144"; "" for a fixed one
	tile               string // as "2x1+0+0"; "" for a whole monitor
	group              string // of the tile; "" for the name of the monitor
}

// Defaults of a monitor.
const (
	defaultName   = "udrm"
	pixelsPerInch = 96
	mmPerInch     = 25.4
)

// monitor makes the monitor, with an EDID.
func (d *description) monitor() (*kms.Monitor, error) {
	m := edid.Monitor{
		Manufacturer: d.manufacturer, Name: cmp.Or(d.name, defaultName), Serial: uint32(d.serial), Modes: d.modes, NonDesktop: d.nonDesktop,
	}
	if err := d.abilities(&m); err != nil {
		return nil, err
	}
	if len(d.modes) == 0 {
		return nil, errors.New("the monitor has no mode; give it one, such as 1920x1080@60")
	}
	if d.size == "" {
		mm := func(pixels uint16) int { return min(int(float64(pixels)*mmPerInch/pixelsPerInch), edid.MaxSizeMM) }
		m.WidthMM, m.HeightMM = mm(d.modes[0].HDisplay), mm(d.modes[0].VDisplay)
	} else {
		size := sizeSpec().FindStringSubmatch(d.size)
		if size == nil {
			return nil, fmt.Errorf("%q is not a size; write it in mm, as in 600x340mm", d.size)
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
	modeSpec = compiled(`^(\d+)x(\d+)(?:@(\d+(?:\.\d+)?))?$`)
	rateSpec = compiled(`^@?(\d+(?:\.\d+)?)(?i:hz)?$`)
	sizeSpec = compiled(`^(\d+)x(\d+)mm$`)
	vrrSpec  = compiled(`^(\d{1,9})-(\d{1,9})$`)
	tileSpec = compiled(`^(\d{1,9})x(\d{1,9})\+(\d{1,9})\+(\d{1,9})$`)
)

// The luminances of a monitor with a high dynamic range, in cd/m².
const hdrMax, hdrAverage, hdrMin = 1000, 400, 0.05

// abilities sets what the monitor can do beyond modes.
func (d *description) abilities(m *edid.Monitor) error {
	if d.hdr {
		m.HDR = &edid.HDR{MaxLuminance: hdrMax, MaxFrameAverage: hdrAverage, MinLuminance: hdrMin, HLG: true}
		m.Colorimetry = edid.BT2020RGB | edid.BT2020YCC
	}
	if d.vrr != "" {
		limits := vrrSpec().FindStringSubmatch(d.vrr)
		if limits == nil {
			return fmt.Errorf("%q are not the limits of a refresh rate; write them in Hz, as in 48-144", d.vrr)
		}
		m.MinRefresh, m.MaxRefresh = number(limits[1]), number(limits[2])
		if m.MinRefresh == 0 {
			return fmt.Errorf("a refresh rate cannot vary from 0 Hz")
		}
	}
	if d.tile != "" {
		at := tileSpec().FindStringSubmatch(d.tile)
		switch {
		case at == nil:
			return fmt.Errorf("%q is not a tile; write COLUMNSxROWS+COLUMN+ROW, as in 2x1+1+0", d.tile)
		case len(d.modes) == 0:
			return errors.New("the tile has no mode; give it one, such as 2560x2880@60")
		}
		m.Tile = &edid.Tile{
			SingleMonitor: true, Columns: number(at[1]), Rows: number(at[2]), Column: number(at[3]), Row: number(at[4]),
			Width: int(d.modes[0].HDisplay), Height: int(d.modes[0].VDisplay),
		}
		hash := fnv.New64a()
		fmt.Fprintf(hash, "%s %dx%d", cmp.Or(d.group, d.name, defaultName), m.Tile.Columns, m.Tile.Rows)
		hash.Sum(m.Tile.Group[:0])
	}
	return nil
}

// number converts digits. A number out of range becomes the largest one.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return math.MaxInt32
	}
	return n
}

// parseMode reads "2560x1440@60".
func parseMode(text string) (mode.Mode, error) {
	m := modeSpec().FindStringSubmatch(text)
	if m == nil {
		return mode.Mode{}, fmt.Errorf("%q is not a mode; write it as 2560x1440@60", text)
	}
	refresh := 60.0
	if m[3] != "" {
		refresh, _ = strconv.ParseFloat(m[3], 64) // modeSpec matched; mode.For refuses what is too large
	}
	width, height := number(m[1]), number(m[2])
	if width > vkms.MaxSize || height > vkms.MaxSize {
		return mode.Mode{}, fmt.Errorf("mode %s is too large (limit %dx%d)", text, vkms.MaxSize, vkms.MaxSize)
	}
	return mode.For(width, height, refresh)
}

// monitor reads a monitor: a word as in [ParseMonitor], without the items of
// the connector, or a mapping.
func (r *reader) monitor(n *yaml.Node, path string, serial int) *kms.Monitor {
	if v := resolved(n); v.Kind == yaml.ScalarNode && v.Tag != "!!null" {
		if strings.Contains(v.Value, "edid=") {
			r.fail(n, path, "%q: in a file, give edid as an attribute of the connector", v.Value)
			return nil
		}
		c, err := ParseMonitor(v.Value, serial)
		switch {
		case err != nil:
			r.fail(n, path, "%v", err)
		case c.Type != 0 || c.Status != 0:
			r.fail(n, path, "%q: in a file, give type and status as attributes of the connector", v.Value)
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
		"non-desktop":  func(n *yaml.Node, path string) { r.bool(n, path, &d.nonDesktop) },
		"hdr":          func(n *yaml.Node, path string) { r.bool(n, path, &d.hdr) },
		"vrr":          text(&d.vrr),
		"tile":         text(&d.tile),
		"tile-group":   text(&d.group),
		"serial":       func(n *yaml.Node, path string) { r.int(n, path, &d.serial, 0, math.MaxInt32) },
		"modes": func(n *yaml.Node, path string) {
			for _, item := range r.items(n, path) {
				timing, err := parseMode(item.Value)
				if err != nil {
					r.fail(item, path, "%v", err)
					continue
				}
				d.modes = append(d.modes, timing)
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

// readEDID reads a monitor from a file. A damaged EDID is as good as none, as for
// the kernel: the monitor has fallback modes. Text is an error.
func readEDID(file string) (*kms.Monitor, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m, err := kms.MonitorFromEDID(data)
	switch {
	case err == nil:
		return m, nil
	case isText(data):
		return nil, fmt.Errorf("%s: not an EDID in binary form: %w", file, err)
	}
	return &kms.Monitor{}, nil
}

// isText reports whether the data is ASCII text, or empty.
func isText(data []byte) bool {
	return !slices.ContainsFunc(data, func(c byte) bool { return c >= utf8.RuneSelf || c < ' ' && c != '\n' && c != '\r' && c != '\t' })
}

// ParseFormat parses the code of a pixel format in drm_fourcc.h, such as
// "XR30".
func ParseFormat(text string) (uint32, error) {
	format := fourcc.Parse(text)
	if format == nil {
		return 0, fmt.Errorf("%q is not a pixel format; write a code of drm_fourcc.h, such as XR30 or NV12", text)
	}
	return format.Code, nil
}
