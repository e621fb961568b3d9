package view_test

import (
	"context"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/udrm/udrm/udrmtest"
)

// FuzzMessages sends messages as a viewer does, or one that is broken. The server
// goes on, or ends the connection.
func FuzzMessages(f *testing.F) {
	_, s := serve(f, udrmtest.Options{})
	f.Add(true, `{"watch": ["card0:Virtual-1", "card9:DP-1"], "trace": true}`, `{"drawn": "card0:Virtual-1"}`)
	f.Add(true, `{"watch": []}`, `{"trace": false, "drawn": "card0:"}`)
	f.Add(false, `{"watch": [":", "card0"]}`, `[`)
	f.Fuzz(func(t *testing.T, text bool, first, second string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		conn, err := connect(ctx, s.URL())
		for err != nil && ctx.Err() == nil { // until one of the viewers before has left
			conn, err = connect(ctx, s.URL())
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		kind := websocket.MessageBinary
		if text {
			kind = websocket.MessageText
		}
		for _, message := range []string{first, second} {
			if err := conn.Write(ctx, kind, []byte(message)); err != nil {
				return // the first one was refused
			}
		}
		if _, _, err := conn.Read(ctx); ctx.Err() != nil {
			t.Errorf("the server neither sends nor closes: %v", err)
		}
	})
}
