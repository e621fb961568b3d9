package trace

import (
	"sync"

	"github.com/udrm/udrm/drm/uapi"
)

// event writes an event for a client: struct drm_event and what follows it.
func (d *decoder) event(w *writer, data []byte) {
	layout := eventFields()[uint32(number(data, 0, 4))]
	w.open('{')
	defer w.close('}')
	if layout == nil {
		w.bytes("bytes", data)
		return
	}
	for i := range layout {
		d.field(w, &layout[i], data, nil)
	}
}

var eventFields = sync.OnceValue(func() map[uint32][]field {
	return map[uint32][]field{
		uapi.EventTypeVblank:       fieldsOf(uapi.LookupStruct("drm_event_vblank"), "", nil)[1:],
		uapi.EventTypeFlipComplete: fieldsOf(uapi.LookupStruct("drm_event_vblank"), "", nil)[1:],
		uapi.EventTypeCRTCSequence: fieldsOf(uapi.LookupStruct("drm_event_crtc_sequence"), "", nil)[1:],
	}
})

// eventName returns the name of an event's type, "" if it is unknown.
func eventName(data []byte) string { return eventNames().find(number(data, 0, 4)) }

var eventNames = sync.OnceValue(func() nameSet { return namesOf(&meaning{prefix: "DRM_EVENT_"}) })
