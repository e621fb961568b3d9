package report

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// An object is one that a client has created. A later use that does not find it
// is a use of a stale object.
type object struct {
	pid  int
	kind string // as in a [drm.MissingError]
	id   uint32
}

// A staleUse is a kind of request that names a stale object.
type staleUse struct{ request, object string }

// Limits of what is remembered: a client can create endless objects.
const (
	maxObjects   = 1 << 17
	maxStaleUses = 1000
)

// creators are the requests that create objects, with the field of the answer
// that has the id.
var creators = map[uint32]struct{ kind, field string }{
	uapi.IoctlModeAddFB:          {"framebuffer", "fb_id"},
	uapi.IoctlModeAddFB2:         {"framebuffer", "fb_id"},
	uapi.IoctlModeCreatePropBlob: {"property blob", "blob_id"},
	uapi.IoctlModeCreateDumb:     {"handle", "handle"},
	uapi.IoctlPrimeFDToHandle:    {"handle", "handle"},
	uapi.IoctlGEMOpen:            {"handle", "handle"},
	uapi.IoctlSyncobjCreate:      {"syncobj", "handle"},
	uapi.IoctlSyncobjFDToHandle:  {"syncobj", "handle"},
}

// noteObject notes the object that a request has created. It is called after
// the handler.
func (r *Recorder) noteObject(c *drm.Call) {
	if c.Op != drm.OpIoctl || c.Err != nil {
		return
	}
	request := uapi.LookupRequest(c.Cmd)
	if request == nil || request.In == nil {
		return
	}
	creator, ok := creators[request.Cmd] // the client's may have another size
	if !ok {
		return
	}
	for _, f := range request.In.Fields {
		if f.Name != creator.field || f.Size != 4 || len(c.Argument) < f.Offset+4 {
			continue
		}
		r.mu.Lock()
		if len(r.objects) < maxObjects {
			r.objects[object{c.Caller.Client().PID, creator.kind, binary.NativeEndian.Uint32(c.Argument[f.Offset:])}] = true
		}
		r.mu.Unlock()
	}
}

// noteStale notes a request that failed because it names a stale object. The
// caller holds mu.
func (r *Recorder) noteStale(c *drm.Call, request string) {
	missing := drm.Missing(c.Err)
	if missing == nil || c.Caller == nil || !r.objects[object{c.Caller.Client().PID, missing.Kind, missing.ID}] {
		return
	}
	use := staleUse{request, fmt.Sprintf("%s %d", missing.Kind, missing.ID)}
	if r.stale[use] > 0 || len(r.stale) < maxStaleUses {
		r.stale[use]++
	}
}

// staleUses returns the uses of stale objects. The caller holds mu.
func (r *Recorder) staleUses() []Stale {
	list := []Stale{}
	for _, use := range slices.SortedFunc(maps.Keys(r.stale), func(a, b staleUse) int {
		return strings.Compare(a.request+" "+a.object, b.request+" "+b.object)
	}) {
		list = append(list, Stale{use.request, use.object, r.stale[use]})
	}
	return list
}
