package main

import (
	"encoding/binary"
	"strings"

	"github.com/udrm/udrm/drm/uapi"
)

// A pool has some of the values that calls returned.
type pool []uint64

const poolSize = 64

func (w *worker) keep(p *pool, v uint64) {
	switch {
	case v == 0:
	case len(*p) < poolSize:
		*p = append(*p, v)
	default:
		(*p)[w.random.IntN(poolSize)] = v
	}
}

func (w *worker) from(p pool) uint64 {
	if len(p) == 0 || w.random.IntN(20) == 0 {
		return w.number()
	}
	return p[w.random.IntN(len(p))]
}

// number returns a number that code may treat in a special way.
func (w *worker) number() uint64 {
	switch w.random.IntN(8) {
	case 0, 1:
		return 0
	case 2, 3:
		return uint64(w.random.IntN(8))
	case 4:
		return 1 << w.random.IntN(64)
	case 5:
		return 1<<w.random.IntN(64) - 1
	case 6:
		return ^uint64(0) - uint64(w.random.IntN(4))
	}
	return w.random.Uint64()
}

// pool returns the pool of a field, by its name in the headers.
func (w *worker) pool(name string) *pool {
	switch {
	case name == "fd" || strings.HasSuffix(name, "_fd"):
		return &w.fds
	case strings.Contains(name, "handle") && !strings.HasPrefix(name, "count") && !strings.HasSuffix(name, "handles"):
		return &w.handles
	case strings.HasSuffix(name, "fb_id"):
		return &w.fbs
	case strings.HasSuffix(name, "id") || name == "crtc" || name == "value":
		return &w.ids
	case name == "offset":
		return &w.offsets
	}
	return nil
}

// fill writes plausible values to the fields of a struct.
func (w *worker) fill(s *uapi.Struct, to []byte) {
	for _, f := range s.Fields {
		for i := range max(f.Count, 1) {
			at := to[f.Offset+i*f.Size:][:f.Size]
			switch {
			case f.Kind == uapi.KindStruct && f.Struct != nil && f.Struct.Name == "drm_mode_modeinfo" && len(w.mode) == f.Size:
				copy(at, w.mode)
			case f.Kind == uapi.KindStruct && f.Struct != nil:
				w.fill(f.Struct, at)
			default:
				put(at, w.value(f.Name, f.Size))
			}
		}
	}
}

func (w *worker) value(name string, size int) uint64 {
	if w.random.IntN(30) == 0 {
		return w.number()
	}
	has := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(name, word) {
				return true
			}
		}
		return false
	}
	switch p := w.pool(name); {
	case p != nil:
		return w.from(*p)
	case size == 8 && has("ptr", "handles", "points", "data", "name", "date", "desc", "fences", "object_ids", "red", "green", "blue", "unique"):
		return w.address()
	case has("count", "len", "num"):
		return uint64(w.random.IntN(5))
	case has("width", "height", "_w", "_h"):
		return []uint64{16, 64, 640, 1024}[w.random.IntN(4)]
	case has("pitch"):
		return []uint64{64, 256, 4096}[w.random.IntN(3)]
	case has("bpp", "depth"):
		return []uint64{32, 32, 24, 16, 8}[w.random.IntN(5)]
	case has("format"):
		return uint64([]uint32{uapi.FormatXRGB8888, uapi.FormatARGB8888, uapi.FormatRGB565}[w.random.IntN(3)])
	case has("pad", "reserved", "modifier"):
		return 0
	case has("timeout", "deadline"):
		return uint64(w.random.IntN(3))
	case has("flags", "type"):
		if w.random.IntN(2) == 0 {
			return 0
		}
		return 1 << w.random.IntN(12)
	}
	return w.number()
}

// address returns an address in the arena, or one that is no memory.
func (w *worker) address() uint64 {
	if w.random.IntN(16) == 0 {
		return []uint64{0, 1, 4096, 1 << 47, ^uint64(0) - 7, uint64(addressOf(w.arena)) + arenaSize - 4}[w.random.IntN(6)]
	}
	return uint64(addressOf(w.arena)) + uint64(w.random.IntN(arenaSize/8)*8)
}

// spread writes numbers of objects into the arena, where arguments point to.
func (w *worker) spread() {
	for range 32 {
		at := w.arena[w.random.IntN(arenaSize/8)*8:][:8]
		p := []pool{w.handles, w.ids, w.fbs, w.fds}[w.random.IntN(4)]
		binary.NativeEndian.PutUint32(at, uint32(w.from(p)))
		binary.NativeEndian.PutUint32(at[4:], uint32(w.from(p)))
	}
}

// harvest keeps the numbers of objects that a request returned.
func (w *worker) harvest(s *uapi.Struct, from []byte) {
	for _, f := range s.Fields {
		for i := range max(f.Count, 1) {
			at := from[f.Offset+i*f.Size:][:f.Size]
			if f.Kind == uapi.KindStruct && f.Struct != nil {
				w.harvest(f.Struct, at)
			} else if p := w.pool(f.Name); p != nil && p != &w.fds {
				w.keep(p, get(at))
			}
		}
	}
}

func put(to []byte, v uint64) {
	var all [8]byte
	binary.LittleEndian.PutUint64(all[:], v)
	copy(to, all[:])
}

func get(from []byte) uint64 {
	var all [8]byte
	copy(all[:], from)
	return binary.LittleEndian.Uint64(all[:])
}
