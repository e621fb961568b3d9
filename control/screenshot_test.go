package control_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/internal/kmsclient"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
	"github.com/udrm/udrm/machine/picture"
)

// TestScreenshotDelaysNothing requests a picture of noise, which is larger than
// the buffer of a socket, and reads only its beginning. A commit and an unplug
// must not wait for the rest, which is still the picture of that moment.
func TestScreenshotDelaysNothing(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	m, err := machine.New([]config.Card{config.DefaultCard()}, machine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := control.Serve(m, control.Options{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(s.Close(), m.Close(context.Background())); err != nil {
			t.Error(err)
		}
	}()
	card, err := m.Card("card0")
	if err != nil {
		t.Fatal(err)
	}
	client := kmsclient.New(drmtest.Open(t, card.Device().Primary()).Process())
	display, err := client.Display()
	if err != nil {
		t.Fatal(err)
	}
	buffer, err := client.NewBuffer(int(display.Mode.HDisplay), int(display.Mode.VDisplay))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{})
	random.Read(buffer.Pixels)
	if err := client.SetCRTC(display, buffer.FB, display.Mode); err != nil {
		t.Fatal(err)
	}
	want, err := card.Screenshot("")
	if err != nil {
		t.Fatal(err)
	}

	web := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", s.Path())
	}}}
	defer web.CloseIdleConnections()
	response, err := web.Get("http://udrm/v1/cards/card0/screenshot")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got bytes.Buffer
	if _, err := io.CopyN(&got, response.Body, 1); err != nil {
		t.Fatal(err)
	}
	clear(buffer.Pixels)
	if err := client.SetCRTC(display, buffer.FB, display.Mode); err != nil {
		t.Errorf("a commit during the encoding: %v", err)
	}
	if err := card.Unplug(t.Context()); err != nil {
		t.Errorf("an unplug during the encoding: %v", err)
	}
	if _, err := io.Copy(&got, response.Body); err != nil {
		t.Fatal(err)
	}
	shown, err := picture.Decode(&got)
	if err != nil {
		t.Fatal(err)
	}
	if err := picture.Compare(shown, want, picture.Options{}); err != nil {
		t.Error(err)
	}
}
