package view_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"image"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/trace"
	"github.com/udrm/udrm/view"
)

// A viewer does in Go what view.js does.
type viewer struct {
	t    testing.TB
	conn *websocket.Conn

	silent   bool // confirms no pictures
	screens  map[string]*image.NRGBA
	pictures int
	tree     *viewerTree
	records  []trace.Record
}

// A viewerTree is what the tests look at in a tree.
type viewerTree struct {
	Cards []viewerCard
	Rules []struct{ Fired int }
}

type viewerCard struct {
	control.Card
	CRTCs        []struct{ Planes []struct{ FB uint32 } }
	Framebuffers []struct {
		ID, Width uint32
		Comm      string
	}
	Clients []struct{ Comm string }
	Unplug  *struct{ Drained, Ended *float64 }
}

func dial(t testing.TB, s *view.Server) *viewer {
	t.Helper()
	conn, err := connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &viewer{t: t, conn: conn, screens: make(map[string]*image.NRGBA)}
}

// connect opens the WebSocket of the page at url.
func connect(ctx context.Context, url string) (*websocket.Conn, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	conn, _, err := websocket.Dial(ctx, "http://"+r.URL.Host+"/watch", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + r.URL.Query().Get("token")}},
	})
	if err == nil {
		conn.SetReadLimit(-1)
	}
	return conn, err
}

func (v *viewer) tell(text string) {
	v.t.Helper()
	if err := v.conn.Write(v.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		v.t.Fatal(err)
	}
}

// await reads messages until ok returns true.
func (v *viewer) await(what string, ok func() bool) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), 2*time.Minute)
	defer cancel()
	for !ok() {
		kind, data, err := v.conn.Read(ctx)
		if err != nil {
			text, _ := json.Marshal(v.tree)
			v.t.Fatalf("waiting for %s: %v\n%s", what, err, text)
		}
		if kind == websocket.MessageBinary {
			v.draw(data)
			continue
		}
		var update struct {
			Tree  *viewerTree
			Trace []trace.Record
		}
		if err := json.Unmarshal(data, &update); err != nil {
			v.t.Fatal(err)
		}
		if update.Tree != nil {
			v.tree = update.Tree
		}
		v.records = append(v.records, update.Trace...)
	}
}

// draw draws a picture and confirms it.
func (v *viewer) draw(data []byte) {
	v.pictures++
	name := v.apply(data)
	if !v.silent {
		v.tell(`{"drawn": "` + name + `"}`)
	}
}

func (v *viewer) apply(data []byte) (name string) {
	number := func() int {
		n := binary.LittleEndian.Uint16(data)
		data = data[2:]
		return int(n)
	}
	length := number()
	name, data = string(data[:length]), data[length:]
	size := image.Rect(0, 0, number(), number())
	if size.Empty() {
		v.screens[name] = nil
		return name
	}
	p := v.screens[name]
	if p == nil || p.Rect != size {
		p = image.NewNRGBA(size)
		v.screens[name] = p
	}
	for len(data) > 0 {
		x, y, w, h := number(), number(), number(), number()
		for row := range h {
			data = data[copy(p.Pix[p.PixOffset(x, y+row):], data[:4*w]):]
		}
	}
	return name
}

// card returns a card of the tree, or nil.
func (v *viewer) card(label string) *viewerCard {
	if v.tree == nil {
		return nil
	}
	for i := range v.tree.Cards {
		if v.tree.Cards[i].Label == label {
			return &v.tree.Cards[i]
		}
	}
	return nil
}
