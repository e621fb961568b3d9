package control_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/udrm/udrm/control"
)

// requests are all kinds of requests, with the names of their objects.
var requests = []struct{ method, path, card, object, body string }{
	{"GET", "/v1/machine", "", "", ""},
	{"GET", "/v1/cards/{card}", "card0", "", ""},
	{"POST", "/v1/cards/{card}/plug", "card1", "", ""},
	{"POST", "/v1/cards/{card}/unplug", "card1", "", ""},
	{"POST", "/v1/cards/{card}/bind", "card0", "", ""},
	{"POST", "/v1/cards/{card}/unbind", "card0", "", ""},
	{"POST", "/v1/cards/{card}/connectors", "card0", "", `{"type": "DP", "monitor": "800x600"}`},
	{"DELETE", "/v1/cards/{card}/connectors/{object}", "card0", "DP-1", ""},
	{"POST", "/v1/cards/{card}/connectors/{object}/connect", "card0", "Virtual-1", `{"edid": "AP///////wA="}`},
	{"POST", "/v1/cards/{card}/connectors/{object}/disconnect", "card0", "Virtual-1", ""},
	{"GET", "/v1/cards/{card}/screenshot?connector={object}", "card0", "Virtual-1", ""},
	{"POST", "/v1/cards/{card}/compare", "card0", "", `{"picture": "iVBORw0KGgo=", "mask": "iVBORw0KGgo=", "tolerance": 1}`},
	{"POST", "/v1/cards/{card}/wait", "card0", "", `{"lit": true, "frames": 1, "timeout": "1ms"}`},
	{"GET", "/v1/clock", "", "", ""},
	{"POST", "/v1/clock", "", "", `{"mode": "step"}`},
	{"POST", "/v1/clock/step", "", "", `{"steps": 3, "timeout": "1ms"}`},
	{"GET", "/v1/seat", "", "", ""},
	{"POST", "/v1/seat", "", "", `{"do": "pause"}`},
	{"GET", "/v1/rules", "", "", ""},
	{"POST", "/v1/rules", "", "", `{"rule": "MODE_ATOMIC#3:card=card0:unplug"}`},
	{"DELETE", "/v1/rules/{object}", "", "1", ""},
	{"POST", "/v1/rules/{object}/wait", "", "1", `{"timeout": "1ms"}`},
	{"GET", "/v1/trace", "", "", ""},
	{"POST", "/v1/trace/start", "", "", `{"file": "/trace"}`},
	{"POST", "/v1/trace/stop", "", "", `{}`},
	{"POST", "/v1/view", "", "", `{"address": "127.0.0.1:0"}`},
}

// FuzzRequests sends requests to a machine as a client that can have no files
// written. Each is answered, and a refusal says what and why.
func FuzzRequests(f *testing.F) {
	s, _ := serve(f)
	handler := s.Handler()
	for i, r := range requests {
		f.Add(uint8(i), r.card, r.object, r.body)
	}
	f.Fuzz(func(t *testing.T, kind uint8, card, object, body string) {
		request := requests[int(kind)%len(requests)]
		path := strings.NewReplacer("{card}", url.PathEscape(card), "{object}", url.QueryEscape(object)).Replace(request.path)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond) // the client goes away
		defer cancel()
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, request.method, path, strings.NewReader(body)))
		if w.Code == http.StatusOK || w.Code/100 == 3 { // to a clean path
			return
		}
		var refusal control.Error
		if err := json.Unmarshal(w.Body.Bytes(), &refusal); err != nil || refusal.Code == "" || refusal.Asked == "" || refusal.Reason == "" {
			t.Errorf("%s %s: %d %.200q, %v", request.method, path, w.Code, w.Body, err)
		}
	})
}
