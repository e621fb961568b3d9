package drm

// PartOf returns the part of type P that is attached to dev. ok is false if dev
// has no such part.
func PartOf[P Part](dev *Device) (part P, ok bool) {
	for _, p := range dev.parts {
		if part, ok = p.(P); ok {
			return part, true
		}
	}
	return part, false
}
