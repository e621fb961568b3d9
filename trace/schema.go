package trace

import (
	"sync"

	"github.com/udrm/udrm/drm/uapi"
)

// The headers do not say which fields are addresses of arrays, how long these
// are, and what numbers mean. The tables of this file do.

// An element is what an array in client memory holds.
type element int

const (
	numbers16 element = iota
	numbers32
	numbers64
	formats // fourcc codes
	text
	blob // bytes of unknown meaning
	modes
	clips
	enums
	fences
	propertyIDs // of the properties whose values the next array holds
	propertyValues
)

// size returns the size of an element in client memory.
func (e element) size() int {
	switch e {
	case numbers16:
		return 2
	case numbers32, formats, propertyIDs:
		return 4
	case numbers64, propertyValues:
		return 8
	}
	if s := e.layout(); s != nil {
		return s.Size
	}
	return 1
}

// layout returns the struct of an element, or nil if it is not a struct.
func (e element) layout() *uapi.Struct {
	switch e {
	case modes:
		return modeLayout()
	case clips:
		return clipLayout()
	case enums:
		return enumLayout()
	case fences:
		return fenceLayout()
	}
	return nil
}

var (
	modeLayout = structOf("drm_mode_modeinfo")
	clipLayout = structOf("drm_clip_rect")
	enumLayout = structOf("drm_mode_property_enum")

	fenceLayout = structOf("sync_fence_info")
)

// structOf returns a struct when it is needed. Most processes of
// programs that import this package need none.
func structOf(name string) func() *uapi.Struct {
	return sync.OnceValue(func() *uapi.Struct { return uapi.LookupStruct(name) })
}

// A direction says who fills an array.
type direction int

const (
	fromClient  direction = iota
	toClient              // if the client gave room for all of it
	toClientCut           // as much as the client gave room for
)

// An array is an array in client memory that an argument points to.
type array struct {
	address, count string // fields of the argument
	element        element
	direction      direction
}

// arraysOf lists the arrays of each request. MODE_ATOMIC is not among them; see
// captureAtomic.
var arraysOf = map[string][]array{
	"VERSION": {
		{"name", "name_len", text, toClientCut},
		{"date", "date_len", text, toClientCut},
		{"desc", "desc_len", text, toClientCut},
	},
	"GET_UNIQUE":      {{"unique", "unique_len", text, toClient}},
	"SET_CLIENT_NAME": {{"name", "name_len", text, fromClient}},

	"MODE_GETRESOURCES": {
		{"fb_id_ptr", "count_fbs", numbers32, toClient},
		{"crtc_id_ptr", "count_crtcs", numbers32, toClient},
		{"connector_id_ptr", "count_connectors", numbers32, toClient},
		{"encoder_id_ptr", "count_encoders", numbers32, toClient},
	},
	"MODE_SETCRTC":           {{"set_connectors_ptr", "count_connectors", numbers32, fromClient}},
	"MODE_GETPLANERESOURCES": {{"plane_id_ptr", "count_planes", numbers32, toClient}},
	"MODE_GETPLANE":          {{"format_type_ptr", "count_format_types", formats, toClient}},
	"MODE_GETCONNECTOR": {
		{"encoders_ptr", "count_encoders", numbers32, toClient},
		{"modes_ptr", "count_modes", modes, toClient},
		{"props_ptr", "count_props", propertyIDs, toClient},
		{"prop_values_ptr", "count_props", propertyValues, toClient},
	},
	"MODE_GETPROPERTY": {
		{"values_ptr", "count_values", numbers64, toClient},
		{"enum_blob_ptr", "count_enum_blobs", enums, toClient},
	},
	"MODE_OBJ_GETPROPERTIES": {
		{"props_ptr", "count_props", propertyIDs, toClient},
		{"prop_values_ptr", "count_props", propertyValues, toClient},
	},
	"MODE_GETPROPBLOB":    {{"data", "length", blob, toClient}},
	"MODE_CREATEPROPBLOB": {{"data", "length", blob, fromClient}},
	"MODE_DIRTYFB":        {{"clips_ptr", "num_clips", clips, fromClient}},
	"MODE_GETGAMMA":       gammaArrays(toClient),
	"MODE_SETGAMMA":       gammaArrays(fromClient),

	"MODE_CREATE_LEASE": {{"object_ids", "object_count", numbers32, fromClient}},
	"MODE_LIST_LESSEES": {{"lessees_ptr", "count_lessees", numbers32, toClient}},
	"MODE_GET_LEASE":    {{"objects_ptr", "count_objects", numbers32, toClient}},

	"SYNC_IOC_FILE_INFO": {{"sync_fence_info", "num_fences", fences, toClient}},

	"SYNCOBJ_WAIT":            handleArray(),
	"SYNCOBJ_RESET":           handleArray(),
	"SYNCOBJ_SIGNAL":          handleArray(),
	"SYNCOBJ_TIMELINE_WAIT":   append(handleArray(), array{"points", "count_handles", numbers64, fromClient}),
	"SYNCOBJ_TIMELINE_SIGNAL": append(handleArray(), array{"points", "count_handles", numbers64, fromClient}),
	"SYNCOBJ_QUERY":           append(handleArray(), array{"points", "count_handles", numbers64, toClient}),
}

func gammaArrays(d direction) []array {
	return []array{
		{"red", "gamma_size", numbers16, d},
		{"green", "gamma_size", numbers16, d},
		{"blue", "gamma_size", numbers16, d},
	}
}

func handleArray() []array {
	return []array{{"handles", "count_handles", numbers32, fromClient}}
}

// A meaning says how to print a number.
type meaning struct {
	kind   meaningKind
	prefix string   // of the constants that are its values or bits, of enumerated and flags
	except []string // prefixes of constants that are not
}

type meaningKind int

const (
	plain meaningKind = iota
	padding
	enumerated
	flags
	address     // an address, or a number that only the client understands
	fourccCode  // a pixel format
	modifier    // of a pixel format
	fixed16     // 16.16 fixed point
	objectKind  // uapi.ModeObject*
	vblankFlags // type and flags of WAIT_VBLANK
)

// meanings has the fields whose numbers have names: by request and field, by
// struct and field, or by field alone.
var meanings = map[string]meaning{
	"user_data":    {kind: address}, // only the client understands it
	"pixel_format": {kind: fourccCode},
	"modifier":     {kind: modifier},
	"obj_type":     {kind: objectKind},

	"drm_get_cap.capability": {kind: enumerated, prefix: "DRM_CAP_"},

	"drm_set_client_cap.capability": {kind: enumerated, prefix: "DRM_CLIENT_CAP_"},

	"drm_mode_modeinfo.flags": {kind: flags, prefix: "DRM_MODE_FLAG_", except: []string{"DRM_MODE_FLAG_3D_", "DRM_MODE_FLAG_PIC_", "DRM_MODE_FLAG_ALL"}},
	"drm_mode_modeinfo.type":  {kind: flags, prefix: "DRM_MODE_TYPE_", except: []string{"DRM_MODE_TYPE_ALL", "DRM_MODE_TYPE_CLOCK_C", "DRM_MODE_TYPE_CRTC_C"}},

	"drm_mode_atomic.flags":         {kind: flags, prefix: "DRM_MODE_ATOMIC_|DRM_MODE_PAGE_FLIP_", except: []string{"DRM_MODE_ATOMIC_FLAGS", "DRM_MODE_PAGE_FLIP_FLAGS", "DRM_MODE_PAGE_FLIP_TARGET"}},
	"drm_mode_crtc_page_flip.flags": {kind: flags, prefix: "DRM_MODE_PAGE_FLIP_", except: []string{"DRM_MODE_PAGE_FLIP_FLAGS"}},
	"drm_mode_fb_cmd2.flags":        {kind: flags, prefix: "DRM_MODE_FB_", except: []string{"DRM_MODE_FB_DIRTY_"}},
	"drm_mode_fb_dirty_cmd.flags":   {kind: flags, prefix: "DRM_MODE_FB_DIRTY_ANNOTATE_"},
	"drm_mode_cursor.flags":         {kind: flags, prefix: "DRM_MODE_CURSOR_", except: []string{"DRM_MODE_CURSOR_FLAGS"}},
	"drm_mode_cursor2.flags":        {kind: flags, prefix: "DRM_MODE_CURSOR_", except: []string{"DRM_MODE_CURSOR_FLAGS"}},
	"drm_mode_get_property.flags":   {kind: flags, prefix: "DRM_MODE_PROP_", except: []string{"DRM_MODE_PROP_LEGACY_TYPE", "DRM_MODE_PROP_EXTENDED_TYPE"}},
	"drm_mode_set_plane.flags":      {kind: flags, prefix: "DRM_MODE_PRESENT_"},
	"drm_mode_map_dumb.offset":      {kind: address},
	"drm_mode_set_plane.src_x":      {kind: fixed16},
	"drm_mode_set_plane.src_y":      {kind: fixed16},
	"drm_mode_set_plane.src_w":      {kind: fixed16},
	"drm_mode_set_plane.src_h":      {kind: fixed16},

	"drm_mode_get_connector.connector_type": {kind: enumerated, prefix: "DRM_MODE_CONNECTOR_"},
	"drm_mode_get_connector.connection":     {kind: enumerated, prefix: "DRM_MODE_CONNECTED|DRM_MODE_DISCONNECTED|DRM_MODE_UNKNOWNCONNECTION"},
	"drm_mode_get_encoder.encoder_type":     {kind: enumerated, prefix: "DRM_MODE_ENCODER_"},

	"dma_buf_sync.flags":               {kind: flags, prefix: "DMA_BUF_SYNC_READ|DMA_BUF_SYNC_WRITE|DMA_BUF_SYNC_END"},
	"dma_buf_export_sync_file.flags":   {kind: flags, prefix: "DMA_BUF_SYNC_READ|DMA_BUF_SYNC_WRITE"},
	"dma_buf_import_sync_file.flags":   {kind: flags, prefix: "DMA_BUF_SYNC_READ|DMA_BUF_SYNC_WRITE"},
	"drm_prime_handle.flags":           {kind: flags, prefix: "DRM_CLOEXEC|DRM_RDWR"},
	"drm_mode_create_lease.flags":      {kind: flags, prefix: "DRM_CLOEXEC"},
	"drm_crtc_queue_sequence.flags":    {kind: flags, prefix: "DRM_CRTC_SEQUENCE_"},
	"drm_syncobj_create.flags":         {kind: flags, prefix: "DRM_SYNCOBJ_CREATE_"},
	"drm_syncobj_wait.flags":           {kind: flags, prefix: "DRM_SYNCOBJ_WAIT_FLAGS_"},
	"drm_syncobj_timeline_wait.flags":  {kind: flags, prefix: "DRM_SYNCOBJ_WAIT_FLAGS_"},
	"drm_syncobj_eventfd.flags":        {kind: flags, prefix: "DRM_SYNCOBJ_WAIT_FLAGS_"},
	"drm_syncobj_transfer.flags":       {kind: flags, prefix: "DRM_SYNCOBJ_WAIT_FLAGS_"},
	"drm_syncobj_timeline_array.flags": {kind: flags, prefix: "DRM_SYNCOBJ_QUERY_FLAGS_"},
	"SYNCOBJ_HANDLE_TO_FD.flags":       {kind: flags, prefix: "DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_"},
	"SYNCOBJ_FD_TO_HANDLE.flags":       {kind: flags, prefix: "DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_"},
	"drm_wait_vblank_request.type":     {kind: vblankFlags},
	"drm_wait_vblank_reply.type":       {kind: vblankFlags},
	"drm_wait_vblank_request.signal":   {kind: address},
	"drm_event.type":                   {kind: enumerated, prefix: "DRM_EVENT_"},
}
