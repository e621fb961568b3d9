//go:build !amd64

package thread

// Programs of other architectures are not served.

func (r *registers) prepareCompat(nr int, args [6]uint64) { r.prepare(nr, args) }

func (r *registers) sameCompatCall(p *registers) bool { return r.sameCall(p) }

func entersCompat(ID) (bool, error) { return false, nil }

func (t ID) checkCompat(*Blocked) {}
