package conformance

import "golang.org/x/sys/unix"

var standardCRTCCases = []Case{
	{"standard/DEGAMMA_LUT", NeedDisplay | NeedDumb | NeedAtomic, func(t *tester) { lut(t, "DEGAMMA_LUT") }},
	{"standard/GAMMA_LUT", NeedDisplay | NeedDumb | NeedAtomic, func(t *tester) { lut(t, "GAMMA_LUT") }},
	{"standard/CTM", NeedDisplay | NeedDumb | NeedAtomic, ctm},
	rangeCase("BACKGROUND_COLOR"),
	rangeCase("SHARPNESS_STRENGTH"),
	rangeCase("VRR_ENABLED"),
}

// lut checks a table of the size that the CRTC names, and one that is no table.
func lut(t *tester, name string) {
	h := t.ShowHolder(name)
	size, ok := h.s.crtcProps[name+"_SIZE"]
	if !ok || size.Value == 0 {
		t.Fatalf("%s_SIZE is %d", name, size.Value)
	}
	table := make([]uint16, 0, 4*size.Value)
	for i := range size.Value {
		v := uint16(i * 0xffff / max(size.Value-1, 1))
		table = append(table, v, v, v, 0)
	}
	blob := h.blob(words(table...))
	h.try("a table", 0, blob)
	equal(t, name, h.value(), blob)
	h.try("part of an entry", 0, h.blob(make([]byte, 12)), unix.EINVAL)
	h.try("a blob that does not exist", 0, 0x7ffffff0, unix.EINVAL)
	h.try("none", 0, 0)
	equal(t, name, h.value(), 0)
}

// ctm checks that a matrix has exactly nine numbers.
func ctm(t *tester) {
	h := t.ShowHolder("CTM")
	const one = 1 << 32
	blob := h.blob(words[uint64](one, 0, 0, 0, one, 0, 0, 0, one))
	h.try("a matrix", 0, blob)
	equal(t, "CTM", h.value(), blob)
	h.try("eight numbers", 0, h.blob(make([]byte, 64)), unix.EINVAL)
	h.try("ten numbers", 0, h.blob(make([]byte, 80)), unix.EINVAL)
	h.try("none", 0, 0)
}
