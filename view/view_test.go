package view_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/machine/picture"
	"github.com/udrm/udrm/udrmtest"
	"github.com/udrm/udrm/view"
)

// serve returns a machine and its page.
func serve(t testing.TB, opts udrmtest.Options) (*udrmtest.Machine, *view.Server) {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	m := udrmtest.New(t, opts)
	c, err := control.Serve(m.Machine, control.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	log := slog.New(slog.NewTextHandler(noPanics{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := view.Serve(m.Machine, c, view.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, s
}

// noPanics is the output of a log in which no panic of a handler may be.
type noPanics struct{ testing.TB }

func (t noPanics) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("panic")) {
		t.Errorf("%s", line)
	}
	return len(line), nil
}

// token returns the token of the page.
func token(t *testing.T, s *view.Server) string {
	t.Helper()
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("token")
}

// do sends a request and returns the answer.
func do(t *testing.T, s *view.Server, method, path, body string, header map[string]string) (status int, text string, h http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Address()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data), response.Header
}

// press sends the request of a button.
func press(t *testing.T, s *view.Server, method, path, body string) {
	t.Helper()
	if status, text, _ := do(t, s, method, path, body, map[string]string{"Authorization": "Bearer " + token(t, s)}); status/100 != 2 {
		t.Errorf("%s %s: status %d: %s", method, path, status, text)
	}
}

// TestAccess checks who may use the page.
func TestAccess(t *testing.T) {
	_, s := serve(t, udrmtest.Options{})
	_, port, _ := strings.Cut(s.Address(), ":")
	key := token(t, s)
	bearer := "Bearer " + key
	for _, tc := range []struct {
		what, method, path string
		header             map[string]string
		want               int
	}{
		{"no token", "GET", "/", nil, 401},
		{"no token", "GET", "/index.html", nil, 401},
		{"no token", "GET", "/watch", nil, 401},
		{"no token", "GET", "/v1/machine", nil, 401},
		{"no token", "POST", "/v1/cards/card0/unplug", map[string]string{"Origin": "http://" + s.Address()}, 401},
		{"no token", "POST", "/view.js", nil, 401},
		{"a wrong token", "GET", "/?token=guess", nil, 401},
		{"an empty token", "GET", "/?token=", nil, 401},
		{"a wrong bearer", "GET", "/?token=" + key, map[string]string{"Authorization": "Bearer guess"}, 401},
		{"a cookie", "GET", "/", map[string]string{"Cookie": "udrm-view-" + port + "=" + key}, 401},
		{"the URL", "GET", "/?token=" + key, nil, 200},
		{"a file without secrets", "GET", "/view.js", nil, 200},
		{"a bearer", "GET", "/v1/machine", map[string]string{"Authorization": bearer}, 200},
		{"ssh -L", "GET", "/?token=" + key, map[string]string{"Host": "localhost:9"}, 200},
		{"IPv6", "GET", "/?token=" + key, map[string]string{"Host": "[::1]:9"}, 200},
		{"DNS rebinding", "GET", "/view.js", map[string]string{"Host": "evil.example:" + port}, 403},
		{"DNS rebinding", "GET", "/?token=" + key, map[string]string{"Host": "127.0.0.1.evil.example"}, 403},
		{"another page watches", "GET", "/watch?token=" + key, map[string]string{
			"Origin": "http://127.0.0.1:1", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
		}, 403},
		{"another page asks for leave", "OPTIONS", "/v1/cards/card0/unplug", map[string]string{"Origin": "http://127.0.0.1:1"}, 401},
		{"a button", "POST", "/v1/cards/card0/unplug", map[string]string{"Authorization": bearer}, 200},
		{"a button, refused", "POST", "/v1/cards/card0/unplug", map[string]string{"Authorization": bearer}, 409},
	} {
		status, text, h := do(t, s, tc.method, tc.path, "", tc.header)
		if status != tc.want {
			t.Errorf("%s: %s %s: status %d, want %d: %s", tc.what, tc.method, tc.path, status, tc.want, text)
		}
		if !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %s %s: the headers are %v", tc.what, tc.method, tc.path, h)
		}
		// A browser would send it to other users' servers on this computer.
		if cookies := h["Set-Cookie"]; len(cookies) > 0 {
			t.Errorf("%s: %s %s: the server sets the cookies %q", tc.what, tc.method, tc.path, cookies)
		}
	}
}

// TestAddresses refuses addresses that other computers can reach.
func TestAddresses(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	m := udrmtest.New(t, udrmtest.Options{})
	c, err := control.Serve(m.Machine, control.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for address, want := range map[string]string{
		"127.0.0.1:0": "", "localhost:0": "", ":0": "", "127.9.9.9:0": "",
		"0.0.0.0:0":      "the page is served to this computer only",
		"192.0.2.1:80":   "the page is served to this computer only",
		"[::]:0":         "the page is served to this computer only",
		"example.com:80": "the page is served to this computer only",
		"8080":           `"8080" is not an address; write it as in 127.0.0.1:8080`,
	} {
		s, err := view.Serve(m.Machine, c, view.Options{Address: address})
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", address, err)
			} else if err := s.Close(); err != nil {
				t.Errorf("%s: %v", address, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", address, err, want)
		}
	}
}

// TestPage watches a program, unplugs its card with a button, plugs the card
// again and watches another program.
func TestPage(t *testing.T) {
	m, s := serve(t, udrmtest.Options{NoConsole: true})
	v := dial(t, s)
	v.tell(`{"watch": ["card0:Virtual-1", "card0:none", "card9:DP-1", "nonsense"], "trace": true}`)
	v.await("the beginning of the trace", func() bool { return len(v.records) > 0 })
	for range 2 {
		p := m.Start("modetest", "-M", "vkms", "-s", "Virtual-1:1024x768")
		m.Card("card0").WaitFrames(1)
		v.await("the picture of the screenshot", func() bool {
			got := v.screens["card0:Virtual-1"]
			want, err := m.Card("card0").Machine().Screenshot("Virtual-1")
			return err == nil && got != nil && picture.Compare(got, want, picture.Options{}) == nil
		})
		v.await("the client, its framebuffer and its plane", func() bool {
			c := v.card("card0")
			return c != nil && c.State == "plugged" && len(c.Clients) == 1 && c.Clients[0].Comm == "modetest" &&
				len(c.Framebuffers) == 1 && c.Framebuffers[0].Comm == "modetest" && c.Framebuffers[0].Width == 1024 &&
				len(c.CRTCs) > 0 && len(c.CRTCs[0].Planes) == 1 && c.CRTCs[0].Planes[0].FB == c.Framebuffers[0].ID
		})
		press(t, s, "POST", "/v1/cards/card0/unplug", "")
		v.await("the end of the unplug", func() bool {
			c := v.card("card0")
			return c.State == "unplugged" && c.Unplug != nil && c.Unplug.Drained != nil && c.Unplug.Ended != nil && *c.Unplug.Drained <= *c.Unplug.Ended
		})
		p.CloseStdin()
		p.WantExit(0)
		press(t, s, "POST", "/v1/cards/card0/plug", "")
	}
	v.await("the records of the programs", func() bool {
		var adds, unplugs int
		for _, r := range v.records {
			if r.Request == "MODE_ADDFB2" && r.Comm == "modetest" {
				adds++
			}
			if r.Type == "unplug" {
				unplugs++
			}
		}
		return adds > 0 && unplugs > 0
	})
}

// TestMonitor pulls a monitor with a button, and plugs in another one.
func TestMonitor(t *testing.T) {
	m, s := serve(t, udrmtest.Options{Monitors: []string{"First:1024x768,DP"}})
	v := dial(t, s)
	monitor := func() string {
		if c := v.card("card0"); c != nil && c.Connectors[0].Connected {
			return c.Connectors[0].Monitor
		}
		return ""
	}
	v.await("the monitor", func() bool { return monitor() == "First" })
	press(t, s, "POST", "/v1/cards/card0/connectors/DP-1/disconnect", "")
	v.await("no monitor", func() bool { return monitor() == "" })
	press(t, s, "POST", "/v1/cards/card0/connectors/DP-1/connect", `{"monitor": "Second:800x600"}`)
	v.await("the other monitor", func() bool { return monitor() == "Second" })
	if infos := m.Card("card0").Machine().ConnectorInfos(); infos[0].Monitor != "Second" {
		t.Errorf("the connector has the monitor %q", infos[0].Monitor)
	}
}

// TestRules lets a request of a program fail by a rule, once.
func TestRules(t *testing.T) {
	m, s := serve(t, udrmtest.Options{})
	v := dial(t, s)
	press(t, s, "POST", "/v1/rules", `{"rule": "ADDFB2#1:error=ENOSPC"}`)
	v.await("the rule", func() bool { return v.tree != nil && len(v.tree.Rules) == 1 && v.tree.Rules[0].Fired == 0 })
	m.Start("modetest", "-M", "vkms", "-s", "Virtual-1:1024x768")
	v.await("that the rule fires", func() bool { return v.tree.Rules[0].Fired == 1 })
	press(t, s, "DELETE", "/v1/rules/1", "")
	v.await("that the rule goes", func() bool { return len(v.tree.Rules) == 0 })
	bearer := map[string]string{"Authorization": "Bearer " + token(t, s)}
	for body, want := range map[string]string{
		`{"rule": "NONSENSE:unplug"}`:                    "NONSENSE",
		`{"rule": "start:screenshot=card0=/etc/passwd"}`: "only clients of the control socket",
		`{"rule": "open:card=card7:unplug"}`:             "card7",
		`{"rule": 1}`:                                    "rule cannot be a number",
	} {
		status, text, _ := do(t, s, "POST", "/v1/rules", body, bearer)
		var e control.Error
		if err := json.Unmarshal([]byte(text), &e); err != nil || status/100 != 4 || !strings.Contains(e.Error(), want) {
			t.Errorf("%.80s: status %d, %s", body, status, text)
		}
	}
	file := filepath.Join(t.TempDir(), "trace")
	if status, text, _ := do(t, s, "POST", "/v1/trace/start", `{"file": "`+file+`"}`, bearer); status != 403 {
		t.Errorf("a page starts a trace: status %d, %s", status, text)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", file, err)
	}
	if status, _, _ := do(t, s, "DELETE", "/v1/rules/1", "", bearer); status != 404 {
		t.Errorf("a rule is removed twice: status %d", status)
	}
}

// TestSlowViewer lets a program flip while one viewer reads nothing and another
// one never confirms a picture.
func TestSlowViewer(t *testing.T) {
	const frames = 50
	m, s := serve(t, udrmtest.Options{StepClock: true})
	deaf, slow := dial(t, s), dial(t, s)
	slow.silent = true
	deaf.tell(`{"watch": ["card0:Virtual-1"], "trace": true}`)
	slow.tell(`{"watch": ["card0:Virtual-1"]}`)
	m.Start("modetest", "-M", "vkms", "-s", "Virtual-1:1024x768", "-v")
	m.Step(frames)
	if n, err := m.Card("card0").Machine().Frames("Virtual-1"); err != nil || n < frames {
		t.Errorf("%d frames, %v", n, err)
	}
	press(t, s, "POST", "/v1/rules", `{"rule": "mmap:error=ENOMEM"}`)
	slow.await("the rule", func() bool { return slow.tree != nil && len(slow.tree.Rules) == 1 })
	if slow.pictures > 3 { // the dark screen, which needs no composing, and two
		t.Errorf("%d pictures were sent to a viewer that drew none", slow.pictures)
	}
}

// TestViewers refuses too many viewers, and nonsense of one.
func TestViewers(t *testing.T) {
	_, s := serve(t, udrmtest.Options{})
	var all []*viewer
	for range 8 {
		all = append(all, dial(t, s))
	}
	bearer := map[string]string{"Authorization": "Bearer " + token(t, s)}
	if status, _, _ := do(t, s, "GET", "/watch", "", bearer); status != http.StatusServiceUnavailable {
		t.Errorf("a ninth viewer: status %d", status)
	}
	for i, nonsense := range []string{"", "[", `{"watch": 1}`, `"text"`, strings.Repeat("x", 70<<10)} {
		all[i].tell(nonsense)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		for err := error(nil); err == nil; _, _, err = all[i].conn.Read(ctx) {
		}
		if ctx.Err() != nil {
			t.Errorf("%.20q: the viewer is still there", nonsense)
		}
		cancel()
	}
	if !slices.ContainsFunc([]int{200, 409}, func(want int) bool {
		status, _, _ := do(t, s, "POST", "/v1/cards/card0/unplug", "", bearer)
		return status == want
	}) {
		t.Error("the page does not answer any more")
	}
}
