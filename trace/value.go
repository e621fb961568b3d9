package trace

import (
	"bytes"
	"encoding/json"
	"strings"
)

// A value is a JSON value whose members keep their order.
type value struct {
	kind   byte   // '{', '[', 's' for a string, 'n' for everything else
	text   string // of 's' and 'n'
	keys   []string
	values []value // members or elements
}

// parseValue parses JSON text. Text that is not JSON becomes a string.
func parseValue(text json.RawMessage) value {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := readValue(d)
	if err != nil {
		return value{kind: 's', text: string(text)}
	}
	return v
}

func readValue(d *json.Decoder) (value, error) {
	token, err := d.Token()
	if err != nil {
		return value{}, err
	}
	switch t := token.(type) {
	case json.Delim:
		v := value{kind: byte(t)}
		for d.More() {
			if t == '{' {
				key, err := d.Token()
				if err != nil {
					return v, err
				}
				v.keys = append(v.keys, key.(string))
			}
			item, err := readValue(d)
			if err != nil {
				return v, err
			}
			v.values = append(v.values, item)
		}
		_, err := d.Token() // the closing bracket
		return v, err
	case string:
		return value{kind: 's', text: t}, nil
	case json.Number:
		return value{kind: 'n', text: t.String()}, nil
	case bool:
		if t {
			return value{kind: 'n', text: "true"}, nil
		}
		return value{kind: 'n', text: "false"}, nil
	}
	return value{kind: 'n', text: "null"}, nil
}

// get returns the member of an object, or an empty value.
func (v value) get(key string) value {
	for i, k := range v.keys {
		if k == key {
			return v.values[i]
		}
	}
	return value{}
}

// String prints the value briefly, as strace does: "{fb_id=41, flags=0}".
func (v value) String() string {
	var b strings.Builder
	v.print(&b)
	return b.String()
}

func (v value) print(b *strings.Builder) {
	if v.kind != '{' && v.kind != '[' {
		b.WriteString(v.text)
		return
	}
	b.WriteByte(v.kind)
	for i, item := range v.values {
		if i > 0 {
			b.WriteString(", ")
		}
		if v.kind == '{' {
			b.WriteString(v.keys[i])
			b.WriteByte('=')
		}
		item.print(b)
	}
	b.WriteByte(v.kind + 2) // '}' or ']'
}
