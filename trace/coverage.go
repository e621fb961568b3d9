package trace

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/udrm/udrm/drm/uapi"
)

// A Coverage says what traces have met: requests with their outcomes,
// properties that were set, pixel formats of framebuffers.
type Coverage struct {
	Requests   map[string]map[string]int // by name, then by errno; "" for success
	Properties map[string]int            // times set
	Formats    map[string]int            // of framebuffers
}

// Cover collects what the traces have met.
func Cover(traces ...[]Record) *Coverage {
	c := &Coverage{map[string]map[string]int{}, map[string]int{}, map[string]int{}}
	for _, records := range traces {
		for i := range records {
			c.add(&records[i])
		}
	}
	return c
}

func (c *Coverage) add(r *Record) {
	if r.Type != "ioctl" {
		return
	}
	if c.Requests[r.Request] == nil {
		c.Requests[r.Request] = map[string]int{}
	}
	c.Requests[r.Request][r.Errno]++
	in := parseValue(r.In)
	if format := in.get("pixel_format").text; format != "" && r.Request == "MODE_ADDFB2" {
		c.Formats[format]++
	}
	for _, p := range append(in.get("properties").values, in) {
		// An id without a name is a number.
		if name := p.get("property"); name.kind == 's' {
			c.Properties[name.text]++
		}
	}
}

// Missing returns the requests that were not met, of those that a driver of
// today can have.
func (c *Coverage) Missing() []string {
	var missing []string
	for _, name := range knownRequests() {
		if c.Requests[name] == nil {
			missing = append(missing, name)
		}
	}
	return missing
}

// knownRequests returns the requests to DRM devices whose arguments the headers
// still declare, and those without an argument that drivers still have.
func knownRequests() []string {
	var names []string
	for r := range uapi.Requests() {
		current := r.In != nil || scalarArguments[r.Name] != nil || r.Cmd == uapi.IoctlSetMaster || r.Cmd == uapi.IoctlDropMaster
		if uapi.IOCType(r.Cmd) == uapi.IoctlBase && current {
			names = append(names, r.Name)
		}
	}
	return names
}

// Print writes the coverage for people.
func (c *Coverage) Print(w io.Writer) error {
	missing := c.Missing()
	total := len(knownRequests())
	var b strings.Builder
	fmt.Fprintf(&b, "requests: %d of %d\n", total-len(missing), total)
	for _, name := range slices.Sorted(maps.Keys(c.Requests)) {
		fmt.Fprintf(&b, "  %-28s", name)
		for _, errno := range slices.Sorted(maps.Keys(c.Requests[name])) {
			outcome := errno
			if outcome == "" {
				outcome = "ok"
			}
			fmt.Fprintf(&b, " %s:%d", outcome, c.Requests[name][errno])
		}
		b.WriteByte('\n')
	}
	list(&b, "properties set", slices.Sorted(maps.Keys(c.Properties)))
	list(&b, "formats of framebuffers", slices.Sorted(maps.Keys(c.Formats)))
	list(&b, "requests not met", missing)
	_, err := io.WriteString(w, b.String())
	return err
}

func list(b *strings.Builder, title string, names []string) {
	fmt.Fprintf(b, "%s: %d\n", title, len(names))
	for _, name := range names {
		fmt.Fprintf(b, "  %s\n", name)
	}
}
