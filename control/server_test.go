package control_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
)

// serve returns a server of a machine with two cards, and its client.
func serve(t testing.TB) (*control.Server, *control.Client) {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	vgem := config.Card{Name: "vgem", Driver: config.VGEM, Enabled: true}
	m, err := machine.New([]config.Card{config.DefaultCard(), vgem}, machine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := control.Serve(m, control.Options{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), m.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	c := control.NewClient(s.Path())
	t.Cleanup(c.Close)
	return s, c
}

// TestRefusals sends requests that are malformed, or name what does not exist.
func TestRefusals(t *testing.T) {
	s, _ := serve(t)
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", s.Path())
		},
	}}
	var small bytes.Buffer
	if err := png.Encode(&small, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	// The chunk IHDR: length and type up to 16, width, height, the rest up to
	// 29, CRC.
	large := bytes.Clone(small.Bytes())
	binary.BigEndian.PutUint32(large[16:], 1<<15)
	binary.BigEndian.PutUint32(large[20:], 1<<12)
	binary.BigEndian.PutUint32(large[29:], crc32.ChecksumIEEE(large[12:29]))
	wait := func(r control.WaitRequest) string {
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, tc := range []struct {
		path, body string
		status     int
		reason     string // its beginning
	}{
		{"cards/card0/wait", "", 400, "say what to wait for"},
		{"cards/card0/wait", "{", 400, "the JSON object has no end"},
		{"cards/card0/wait", "[]", 400, "the body is a JSON array, not an object"},
		{"cards/card0/wait", "{}{}", 400, "there is something behind the JSON object"},
		{"cards/card0/wait", `{"colour":1}`, 400, `json: unknown field "colour"`},
		{"cards/card0/wait", `{"frames":-1}`, 400, "frames cannot be a number -1"},
		{"cards/card0/wait", `{"frames":1,"lit":true}`, 400, "say what to wait for"},
		{"cards/card0/wait", `{"lit":true,"timeout":"soon"}`, 400, `timeout: "soon" is not a time`},
		{"cards/card0/wait", `{"lit":true,"timeout":"-1s"}`, 400, `timeout: "-1s" is not a time`},
		{"cards/card0/wait", `{"lit":true,"tolerance":1}`, 400, "tolerance and mask need matches"},
		{"cards/card0/wait", `{"matches":"AAAA"}`, 400, "matches: it is not a PNG picture: unexpected EOF"},
		{"cards/card0/wait", wait(control.WaitRequest{Matches: large}), 400, "matches: 32768x4096 pixels are too many"},
		{"cards/card0/wait", wait(control.WaitRequest{Matches: small.Bytes(), Tolerance: 256}), 400, "tolerance 256 is not"},
		{"cards/card0/wait", wait(control.WaitRequest{Matches: small.Bytes(), Timeout: "0s"}), 504, "waiting for the picture: card0 shows no picture"},
		{"cards/card0/wait", `{"mask":"` + strings.Repeat("A", 64<<20) + `"}`, 413, "the body has more than"},
		{"cards/card0/wait", `{"lit":true,"connector":"DP-1"}`, 404, "card0 has no connector DP-1"},
		{"cards/card1/wait", `{"lit":true}`, 409, "card1 has no display: its driver is vgem"},
		{"cards/card2/unplug", "", 404, "there is no card2"},
		{"cards/card2/plug", "", 404, "there is no card2: card0 to card1 are described"},
		{"cards/..%2fcard0/unplug", "", 404, "there is no ../card0"},
		{"cards/card0/explode", "", 404, "there is no such request"},
		{"cards/card0/connectors/DP-1/connect", "", 404, "card0 has no connector DP-1"},
		{"cards/card0/connectors/Virtual-1/connect", `{"monitor":"800x600","edid":"AAAA"}`, 400, "monitor and edid exclude each other"},
		{"cards/card0/connectors/Virtual-1/connect", `{"monitor":"edid=/etc/passwd"}`, 400, "the server reads no files"},
		{"cards/card0/connectors/Virtual-1/connect", `{"monitor":"sharp"}`, 400, `"sharp": unknown item`},
		{"cards/card0/connectors/Virtual-1/connect", `{"edid":"AAAA"}`, 400, ""},
		{"cards/card0/connectors/Virtual-1/connect", `{"monitor":"800x600,disconnected"}`, 400, `"800x600,disconnected": only the monitor is written here`},
		{"rules", `{"rule":"SETCRTC:screenshot=out.png"}`, 400, "out.png is relative"},
		{"rules", `{"rule":"` + strings.Repeat("A", 64<<10) + `"}`, 413, "the body has more than 65536 bytes"},
		{"rules", `{"rule":"` + strings.Repeat("A", 64<<20) + `"}`, 413, "the body has more than 65536 bytes"},
	} {
		response, err := client.Post("http://udrm/v1/"+tc.path, "application/json", strings.NewReader(tc.body))
		if err != nil {
			t.Errorf("%s %.80s: %v", tc.path, tc.body, err)
			continue
		}
		data, err := io.ReadAll(response.Body)
		response.Body.Close()
		var refusal control.Error
		if err == nil {
			err = json.Unmarshal(data, &refusal)
		}
		if err != nil || response.StatusCode != tc.status || !strings.HasPrefix(refusal.Reason, tc.reason) || refusal.Asked == "" {
			t.Errorf("%s %.80s: %s, %s, %v; want %d, %q", tc.path, tc.body, response.Status, data, err, tc.status, tc.reason)
		}
	}
}

// TestUnknownParameter misspells the connector of a screenshot.
func TestUnknownParameter(t *testing.T) {
	s, _ := serve(t)
	c := dial(t, s)
	fmt.Fprint(c, "GET /v1/cards/card0/screenshot?conector=DP-1 HTTP/1.0\r\nHost: udrm\r\n\r\n")
	answer, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(answer), " 400 ") || !strings.Contains(string(answer), `unknown parameter \"conector\"`) {
		t.Errorf("%s, %v", answer, err)
	}
}

// TestWrongMethod is told the right one.
func TestWrongMethod(t *testing.T) {
	s, _ := serve(t)
	c := dial(t, s)
	fmt.Fprint(c, "GET /v1/cards/card0/unplug HTTP/1.0\r\nHost: udrm\r\n\r\n")
	answer, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(answer), " 404 ") || !strings.Contains(string(answer), `"advice":"use the method POST"`) {
		t.Errorf("%s, %v", answer, err)
	}
}

// TestNoRequestBlocksAnother lets many clients wait, and sends other requests
// meanwhile. An unplug ends the waits.
func TestNoRequestBlocksAnother(t *testing.T) {
	_, c := serve(t)
	const waits = 50
	ended := make(chan error, waits)
	for range waits {
		go func() {
			_, err := c.Wait(t.Context(), "card0", control.WaitRequest{Lit: true, Timeout: "1h"})
			ended <- err
		}()
	}
	if m, err := c.Machine(t.Context()); err != nil || len(m.Cards) != 2 || m.Cards[0].Node != "/dev/dri/card0" {
		t.Errorf("%+v, %v", m, err)
	}
	if card, err := c.Disconnect(t.Context(), "card0", "Virtual-1"); err != nil || card.Connectors[0].Connected {
		t.Errorf("%+v, %v", card, err)
	}
	if _, err := c.Unplug(t.Context(), "card0"); err != nil {
		t.Error(err)
	}
	for range waits {
		var refusal *control.Error
		if err := <-ended; !errors.As(err, &refusal) || refusal.Code != control.CodeRefused {
			t.Errorf("a wait ended with %v", err)
		}
	}
}

// TestClose ends a server while a client waits. Its socket is gone.
func TestClose(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	m, err := machine.New([]config.Card{config.DefaultCard()}, machine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(t.Context())
	s, err := control.Serve(m, control.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := control.NewClient(s.Path())
	defer c.Close()
	ended := make(chan error)
	go func() {
		_, err := c.Wait(t.Context(), "card0", control.WaitRequest{Lit: true, Timeout: "1h"})
		ended <- err
	}()
	if _, err := c.Card(t.Context(), "card0"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("the wait has succeeded")
	}
	if _, err := os.Lstat(s.Path()); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
	if _, err := c.Machine(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "no machine is running at "+s.Path()) {
		t.Error(err)
	}
}

// TestDirectories uses a directory of sockets that others can use, and a path as a
// name.
func TestDirectories(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if err := os.MkdirAll(dir+"/udrm", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir+"/udrm", 0o770); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Find("test"); err == nil || !strings.Contains(err.Error(), "others can use it") {
		t.Errorf("a directory for others: %v", err)
	}
	if _, err := control.Find("../test"); err == nil || !strings.Contains(err.Error(), "is not a name of a machine") {
		t.Errorf("a path as a name: %v", err)
	}
}
