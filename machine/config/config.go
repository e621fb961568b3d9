package config

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
)

// A Driver names the driver of a card. A command with drivers of its own adds
// their names: see [ReadFile].
type Driver string

// The drivers that every machine has.
const (
	VKMS      Driver = "vkms"      // a display
	VGEM      Driver = "vgem"      // buffers and fences only
	Lookalike Driver = "lookalike" // a display as on given hardware
)

// A Card describes a card.
type Card struct {
	Name    string // the name of its entry in the file
	Driver  Driver
	Enabled bool // plugged from the start

	Udev Udev

	// VKMS describes the display. It means nothing for Driver VGEM and Lookalike.
	VKMS vkms.Config

	// Lookalike describes the card of Driver Lookalike. nil for any other.
	Lookalike *lookalike.Config
}

// DefaultCard returns the kernel's default vkms.
func DefaultCard() Card {
	return Card{Name: "vkms", Driver: VKMS, Enabled: true, VKMS: vkms.DefaultConfig()}
}

// ReadFile reads the cards that a file or a directory describes. Names of EDID
// files are relative to the directory of the file. drivers are the names that
// the attribute driver may have besides vkms and vgem. ReadFile reports all
// errors together; each is an [Error] unless a file cannot be read.
func ReadFile(path string, drivers ...Driver) ([]Card, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return readDirectory(path, drivers)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, data, drivers)
}

// MaxCards is the largest number of cards: there are minor numbers for 64
// primary nodes.
const MaxCards = 64

var yamlLine = compiled(`^yaml: line (\d+): (.*)`)

func parse(path string, data []byte, drivers []Driver) ([]Card, error) {
	r := &reader{file: path, dir: filepath.Dir(path), drivers: drivers}
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, &Error{File: path, Line: 1, Reason: "the file is empty; describe cards, such as \"cards: {card0: {}}\""}
	case err != nil:
		line, reason := 1, err.Error()
		if m := yamlLine().FindStringSubmatch(reason); m != nil {
			line, _ = strconv.Atoi(m[1])
			reason = m[2]
		}
		reason = strings.TrimPrefix(reason, "yaml: ")
		return nil, &Error{File: path, Line: line, Reason: "not valid YAML: " + reason}
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		return nil, &Error{File: path, Line: second.Line, Reason: "a second YAML document begins here; describe all cards in the first"}
	}
	var cards []Card
	found := false
	r.mapping(document.Content[0], "", fields{"cards": func(n *yaml.Node, path string) {
		found = true
		cards = r.cards(n, path)
	}})
	if !found && r.errs == nil {
		r.fail(document.Content[0], "", "the file has no cards; describe them, such as \"cards: {card0: {}}\"")
	}
	if r.errs != nil {
		return nil, r.failure()
	}
	return cards, nil
}

// cards reads all cards.
func (r *reader) cards(n *yaml.Node, path string) (cards []Card) {
	for _, e := range r.entries(n, path) {
		card, count := r.card(e)
		if len(cards)+count > MaxCards {
			r.fail(e.key, e.path, "too many cards (limit %d)", MaxCards)
			break
		}
		cards = slices.Concat(cards, slices.Repeat([]Card{card}, count))
	}
	return cards
}

// card reads a card and its count.
func (r *reader) card(e entry) (Card, int) {
	card, count := DefaultCard(), 1
	card.Name = e.name
	t := newTopologyReader(r, e)
	t.like()
	config := &card.VKMS
	var console *bool // nil: as in the kernel
	var pipelines *yaml.Node
	attributes := fields{
		"driver": func(n *yaml.Node, path string) {
			choose(r, n, path, &card.Driver, r.driverNames())
		},
		"enabled": func(n *yaml.Node, path string) { r.bool(n, path, &card.Enabled) },
		"count":   func(n *yaml.Node, path string) { r.int(n, path, &count, 1, MaxCards) },
		"vkms":    func(n *yaml.Node, path string) { t.display(n, path); choose(r, n, path, &config.Kernel, kernels) },
		"console": func(n *yaml.Node, path string) {
			t.display(n, path)
			console = new(bool)
			r.bool(n, path, console)
		},
		"plane_pipeline": func(n *yaml.Node, path string) {
			t.display(n, path)
			r.bool(n, path, &config.PlanePipeline)
			pipelines = n
		},
		"udev":       func(n *yaml.Node, path string) { r.udev(n, path, &card.Udev) },
		"syncobj":    func(n *yaml.Node, path string) { t.display(n, path); r.bool(n, path, &config.Syncobj) },
		"render":     func(n *yaml.Node, path string) { t.display(n, path); r.bool(n, path, &config.Render) },
		"formats":    func(n *yaml.Node, path string) { t.display(n, path); r.formats(n, path, &config.Formats) },
		"cursor":     func(n *yaml.Node, path string) { t.unlisted(n, path, "planes"); r.bool(n, path, &config.Cursor) },
		"overlay":    func(n *yaml.Node, path string) { t.unlisted(n, path, "planes"); r.bool(n, path, &config.Overlay) },
		"writeback":  func(n *yaml.Node, path string) { t.unlisted(n, path, "crtcs"); r.bool(n, path, &config.Writeback) },
		"planes":     t.list,
		"crtcs":      t.list,
		"encoders":   t.list,
		"connectors": t.list,
	}
	maps.Copy(attributes, t.hardwareFields())
	r.mapping(e.value, e.path, attributes)
	t.check(card.Driver)
	config.Console = console == nil || *console
	if err := config.Check(); err != nil {
		r.fail(pipelines, e.path+"/plane_pipeline", "%v", err)
	}
	if card.Driver != VGEM {
		config.Topology = t.topology(config)
	}
	t.finish(&card, console != nil && *console)
	return card, count
}

var kernels = choices[drm.Kernel]{{string(drm.Linux72), drm.Linux72}, {string(drm.Linux612), drm.Linux612}}

// driverNames returns the values of the attribute driver.
func (r *reader) driverNames() choices[Driver] {
	names := choices[Driver]{{"vkms", VKMS}, {"vgem", VGEM}}
	for _, d := range r.drivers {
		names = append(names, choice[Driver]{string(d), d})
	}
	return names
}

// formats reads a list of pixel formats.
func (r *reader) formats(n *yaml.Node, path string, formats *[]uint32) {
	for _, item := range r.items(n, path) {
		code, err := ParseFormat(item.Value)
		switch {
		case err != nil:
			r.fail(item, path, "%v", err)
		case slices.Contains(*formats, code):
			r.fail(item, path, "%s is listed twice", item.Value)
		default:
			*formats = append(*formats, code)
		}
	}
}
