package udev

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// An Event is a change of a device.
type Event struct {
	Action    string // "add", "change", "remove", …
	DevPath   string // below /sys
	Subsystem string
	Env       []string // KEY=value, as the kernel sends them

	Properties []string // KEY=value, which udevd adds
	Tags       []string

	KernelOnly bool // a udevd of the programs sends the other message
}

// kernelMessage returns the message of the kernel: "ACTION@DEVPATH", then
// KEY=value, each ended by a NUL. The sequence number is to follow.
func (e *Event) kernelMessage() []byte {
	fields := append([]string{e.Action + "@" + e.DevPath}, e.head()...)
	return nulTerminated(append(fields, e.Env...))
}

// udevMessage returns the message of udevd: a header, which libudev's socket
// filters look at, then the properties.
func (e *Event) udevMessage(seqnum uint64) []byte {
	fields := e.head()
	var devtype string
	for _, kv := range e.Env {
		if name, ok := strings.CutPrefix(kv, "DEVNAME="); ok {
			kv = "DEVNAME=/dev/" + name
		}
		if t, ok := strings.CutPrefix(kv, "DEVTYPE="); ok {
			devtype = t
		}
		fields = append(fields, kv)
	}
	fields = append(append(fields, seqnumField(seqnum)), e.Properties...)
	if len(e.Tags) > 0 {
		tags := ":" + strings.Join(e.Tags, ":") + ":"
		fields = append(fields, "TAGS="+tags, "CURRENT_TAGS="+tags)
	}
	properties := nulTerminated(fields)

	// struct monitor_netlink_header of libudev
	const magic, headerSize = 0xfeedcafe, 40
	h := make([]byte, headerSize, headerSize+len(properties))
	copy(h, "libudev")
	binary.BigEndian.PutUint32(h[8:], magic)
	binary.NativeEndian.PutUint32(h[12:], headerSize)
	binary.NativeEndian.PutUint32(h[16:], headerSize) // offset of the properties
	binary.NativeEndian.PutUint32(h[20:], uint32(len(properties)))
	binary.BigEndian.PutUint32(h[24:], murmur2(e.Subsystem))
	if devtype != "" {
		binary.BigEndian.PutUint32(h[28:], murmur2(devtype))
	}
	bloom := tagBloom(e.Tags)
	binary.BigEndian.PutUint32(h[32:], uint32(bloom>>32))
	binary.BigEndian.PutUint32(h[36:], uint32(bloom))
	return append(h, properties...)
}

// head returns the properties that begin both messages.
func (e *Event) head() []string {
	return []string{"ACTION=" + e.Action, "DEVPATH=" + e.DevPath, "SUBSYSTEM=" + e.Subsystem}
}

func seqnumField(seqnum uint64) string { return fmt.Sprintf("SEQNUM=%d", seqnum) }

func nulTerminated(fields []string) []byte {
	return []byte(strings.Join(fields, "\x00") + "\x00")
}

// murmur2 returns the 32-bit MurmurHash2 of s with seed 0. libudev's filters
// hold subsystems, device types and tags as these hashes.
func murmur2(s string) uint32 {
	const m = 0x5bd1e995
	h := uint32(len(s))
	for ; len(s) >= 4; s = s[4:] {
		k := binary.LittleEndian.Uint32([]byte(s))
		k *= m
		k ^= k >> 24
		k *= m
		h = h*m ^ k
	}
	for i := len(s) - 1; i >= 0; i-- {
		h ^= uint32(s[i]) << (8 * i)
	}
	if len(s) > 0 {
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}

// tagBloom returns the Bloom filter in which libudev looks for tags: four bits
// for each, taken from its hash.
func tagBloom(tags []string) (bits uint64) {
	for _, tag := range tags {
		h := murmur2(tag)
		for shift := 0; shift <= 18; shift += 6 {
			bits |= 1 << (h >> shift & 63)
		}
	}
	return bits
}
