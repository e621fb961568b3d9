package udev

import (
	"fmt"
	"strings"
	"time"
)

// A Record is what udev's database holds about a device.
type Record struct {
	Links       []string      // below /dev
	Initialized time.Duration // since boot
	Properties  []string      // KEY=value
	Tags        []string
}

// String returns the record as a file of /run/udev/data.
func (r *Record) String() string {
	var out strings.Builder
	for _, link := range r.Links {
		fmt.Fprintf(&out, "S:%s\n", link)
	}
	fmt.Fprintf(&out, "I:%d\n", r.Initialized.Microseconds())
	for _, property := range r.Properties {
		fmt.Fprintf(&out, "E:%s\n", property)
	}
	for _, kind := range []string{"G", "Q"} { // all tags, current tags
		for _, tag := range r.Tags {
			fmt.Fprintf(&out, "%s:%s\n", kind, tag)
		}
	}
	out.WriteString("V:1\n")
	return out.String()
}

// PathID returns ID_PATH of a device on a bus, or "" for a bus that udev's path_id
// does not know.
func PathID(bus, device string) string {
	if bus == "faux" {
		return ""
	}
	return bus + "-" + device
}

// PathTag returns ID_PATH_TAG for an ID_PATH, as udev's path_id does.
func PathTag(id string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '-':
			return r
		}
		return '_'
	}, id)
}
