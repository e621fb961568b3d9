package kms

import "github.com/udrm/udrm/drm/internal/compose"

// Values of the properties COLOR_ENCODING and COLOR_RANGE
// (drm_color_mgmt.h).
const (
	ColorBT601  = compose.BT601
	ColorBT709  = compose.BT709
	ColorBT2020 = compose.BT2020

	ColorLimitedRange = compose.LimitedRange
	ColorFullRange    = compose.FullRange
)
