package kms

import (
	"encoding/binary"
	"time"

	"github.com/udrm/udrm/drm/uapi"
)

// The sizes of events.
const (
	vblankEventSize   = 32 // struct drm_event_vblank
	sequenceEventSize = 32 // struct drm_event_crtc_sequence
)

// vblankEvent returns an event for a vblank or for a commit that it shows.
func vblankEvent(eventType uint32, userData uint64, crtcID uint32, now vblankTime) []byte {
	return encode(vblankEventSize, &uapi.EventVblank{
		Base:     uapi.Event{Type: eventType, Length: vblankEventSize},
		UserData: userData,
		TvSec:    uint32(now.at / time.Second),
		TvUsec:   uint32(now.at % time.Second / time.Microsecond),
		Sequence: uint32(now.count),
		CRTCID:   crtcID,
	})
}

// sequenceEvent returns an event of CRTC_QUEUE_SEQUENCE.
func sequenceEvent(userData uint64, now vblankTime) []byte {
	return encode(sequenceEventSize, &uapi.EventCRTCSequence{
		Base:     uapi.Event{Type: uapi.EventTypeCRTCSequence, Length: sequenceEventSize},
		UserData: userData,
		TimeNs:   int64(now.at),
		Sequence: now.count,
	})
}

// encode returns the bytes of a struct of the uAPI, in the byte order of this
// machine.
func encode(size int, v any) []byte {
	b, err := binary.Append(make([]byte, 0, size), binary.NativeEndian, v)
	if err != nil {
		panic(err) // impossible: all fields have a fixed size
	}
	return b
}
