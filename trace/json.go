package trace

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// A writer builds JSON text. It separates values by itself.
type writer struct{ b []byte }

func (w *writer) separate() {
	if n := len(w.b); n > 0 {
		switch w.b[n-1] {
		case '{', '[', ':', ',', '\n':
		default:
			w.b = append(w.b, ',')
		}
	}
}

func (w *writer) open(c byte) {
	w.separate()
	w.b = append(w.b, c)
}

func (w *writer) close(c byte) { w.b = append(w.b, c) }

// key begins a member of an object.
func (w *writer) key(name string) {
	w.string(name)
	w.b = append(w.b, ':')
}

// plainKey is key for a name that needs no quoting.
func (w *writer) plainKey(name string) {
	w.separate()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

// name is key for a name in the form "name":.
func (w *writer) name(quoted string) {
	w.separate()
	w.b = append(w.b, quoted...)
}

func (w *writer) string(s string) {
	w.separate()
	w.b = appendString(w.b, s)
}

func (w *writer) int(v int64) {
	w.separate()
	w.b = strconv.AppendInt(w.b, v, 10)
}

// uint writes a number. Programs that read numbers as floating point lose bits
// of large ones, so they are written as hexadecimal text.
func (w *writer) uint(v uint64) {
	if v > 1<<53 {
		w.hex(v)
		return
	}
	w.separate()
	w.b = strconv.AppendUint(w.b, v, 10)
}

func (w *writer) hex(v uint64) {
	w.separate()
	w.b = append(w.b, `"0x`...)
	w.b = strconv.AppendUint(w.b, v, 16)
	w.b = append(w.b, '"')
}

func (w *writer) float(v float64) {
	w.separate()
	w.b = strconv.AppendFloat(w.b, v, 'f', -1, 64)
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic(err) // no string fails
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendText appends s as a part of a string in quotes.
func appendText(b []byte, s string) []byte {
	n := len(b)
	b = appendString(b, s)
	copy(b[n:], b[n+1:len(b)-1])
	return b[:len(b)-2]
}
