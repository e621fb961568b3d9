package kms

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// encodeMode returns the content of a MODE_ID blob: struct drm_mode_modeinfo.
func encodeMode(m *mode.Mode) []byte {
	info := m.Info()
	return encode(binary.Size(&info), &info)
}

// decodeMode reads the content of a MODE_ID blob.
func decodeMode(data []byte) (mode.Mode, error) {
	var info uapi.ModeInfo
	if len(data) != binary.Size(&info) {
		return mode.Mode{}, fmt.Errorf("kms: mode blob of %d bytes, want %d: %w", len(data), binary.Size(&info), unix.EINVAL)
	}
	if _, err := binary.Decode(data, binary.NativeEndian, &info); err != nil {
		return mode.Mode{}, fmt.Errorf("kms: mode blob: %v: %w", err, unix.EINVAL)
	}
	return mode.FromInfo(&info)
}

// modeInfo returns the mode as a client sees it. A client that does not know of
// aspect ratios sees none.
func modeInfo(m *mode.Mode, aspectRatio bool) uapi.ModeInfo {
	info := m.Info()
	if !aspectRatio {
		info.Flags &^= uapi.ModeFlagPicARMask
	}
	return info
}
