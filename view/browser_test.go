//go:build browser

package view_test

import (
	"encoding/base64"
	"fmt"
	"image"
	"image/draw"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/picture"
	"github.com/udrm/udrm/udrmtest"
)

// These tests show the page in Chromium and press its buttons with the mouse:
// run "make browser".

// openPage shows the page of a machine in a browser. The page must report no
// errors until the end of the test.
func openPage(t *testing.T, opts udrmtest.Options) (*udrmtest.Machine, *browser) {
	t.Helper()
	m, s := serve(t, opts)
	b := openBrowser(t, s.URL())
	b.awaitTrue(`document.getElementById("status")?.textContent === "connected"`)
	return m, b
}

// wantNoErrors fails the test if the page has reported an error.
func (b *browser) wantNoErrors() {
	b.t.Helper()
	for _, e := range b.errors {
		b.t.Errorf("the page reports: %s", e)
	}
}

func canvas(screen string) string {
	return fmt.Sprintf(`document.querySelector('figure[data-screen="%s"] canvas')`, screen)
}

// canvas returns the picture on the canvas of a screen, or nil.
func (b *browser) canvas(screen string) *image.NRGBA {
	b.t.Helper()
	var got struct {
		Width, Height int
		Pixels        string
	}
	b.evaluate(fmt.Sprintf(`(() => {
		const c = %s;
		if (!c) return {};
		const pixels = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
		let text = "";
		for (let i = 0; i < pixels.length; i += 8192) text += String.fromCharCode(...pixels.subarray(i, i + 8192));
		return {width: c.width, height: c.height, pixels: btoa(text)};
	})()`, canvas(screen)), &got)
	data, err := base64.StdEncoding.DecodeString(got.Pixels)
	if err != nil || len(data) != 4*got.Width*got.Height {
		b.t.Fatalf("the canvas has %d×%d pixels and %d bytes: %v", got.Width, got.Height, len(data), err)
	}
	if len(data) == 0 {
		return nil
	}
	return &image.NRGBA{Pix: data, Stride: 4 * got.Width, Rect: image.Rect(0, 0, got.Width, got.Height)}
}

// awaitPicture waits until the canvas of a screen of card0 has the picture of
// the screenshot.
func (b *browser) awaitPicture(card *machine.Card, connector string) {
	b.t.Helper()
	b.await("the picture of the screenshot on "+connector, func() bool {
		want, err := card.Screenshot(connector)
		if err != nil {
			return false
		}
		got := b.canvas("card0:" + connector)
		return got != nil && picture.Compare(got, want, picture.Options{}) == nil
	})
}

// awaitConsole waits until the canvas of a screen shows the empty console, which
// is black. A screenshot of it is refused: no program has drawn it.
func (b *browser) awaitConsole(screen string) {
	b.t.Helper()
	b.await("a black picture on "+screen, func() bool {
		got := b.canvas(screen)
		return got != nil && picture.Compare(got, black(got.Rect), picture.Options{}) == nil
	})
}

// black returns a black picture.
func black(r image.Rectangle) *image.NRGBA {
	p := image.NewNRGBA(r)
	draw.Draw(p, r, image.Black, image.Point{}, draw.Src)
	return p
}

// awaitPictures waits until n more pictures are drawn.
func (b *browser) awaitPictures(screen string, n int) {
	b.t.Helper()
	drawn := func() (count int) {
		b.evaluate(fmt.Sprintf(`Number(%s.dataset.pictures ?? 0)`, canvas(screen)), &count)
		return count
	}
	start := drawn()
	b.await("more pictures", func() bool { return drawn() >= start+n })
}

// pull pulls and plugs a monitor with the mouse. It calls pulled in between.
func (b *browser) pull(card *machine.Card, connector string, pulled func()) {
	b.t.Helper()
	button := fmt.Sprintf(`button[name="plug card0:%s"]`, connector)
	connected := func() bool {
		for _, c := range card.ConnectorInfos() {
			if c.Name == connector {
				return c.Connected
			}
		}
		return false
	}
	for _, want := range []bool{false, true} {
		b.click(button)
		b.await(fmt.Sprintf("the monitor is there: %v", want), func() bool { return connected() == want })
		text := map[bool]string{false: "plug monitor", true: "pull monitor"}[want]
		b.awaitTrue(fmt.Sprintf(`document.querySelector('%s').textContent === %q`, button, text))
		if !want {
			pulled()
		}
	}
}

// TestBrowser watches modetest, and pulls its monitor and its card.
func TestBrowser(t *testing.T) {
	m, b := openPage(t, udrmtest.Options{})
	card := m.Card("card0").Machine()
	p := m.Start("modetest", "-M", "vkms", "-s", "Virtual-1:1024x768")
	b.awaitPicture(card, "Virtual-1")
	b.awaitTrue(`document.getElementById("tree").innerText.includes("client modetest[")`)
	b.awaitTrue(`document.getElementById("records").innerText.includes("MODE_SETCRTC")`)
	b.pull(card, "Virtual-1", func() {})
	b.awaitPicture(card, "Virtual-1")
	p.CloseStdin()
	p.WantExit(0)
	b.awaitConsole("card0:Virtual-1")

	m.Start("modetest", "-M", "vkms", "-s", "Virtual-1:1024x768", "-v")
	b.awaitPictures("card0:Virtual-1", 5)
	b.pull(card, "Virtual-1", func() { b.awaitPictures("card0:Virtual-1", 5) }) // it flips on
	b.awaitPictures("card0:Virtual-1", 5)
	b.click(`button[name="unplug card0"]`)
	b.await("the unplug", func() bool { return card.State() == machine.Unplugged })
	b.awaitTrue(`document.querySelector('[data-card="card0"] .state').textContent === "unplugged"`)
	b.awaitTrue(`document.getElementById("tree").innerText.includes("unplug: ended after")`)
	b.click(`button[name="plug card0"]`)
	b.await("the plug", func() bool { return card.State() == machine.Plugged })
	m.Start("modetest", "-M", "vkms", "-s", "Virtual-1:800x600")
	b.awaitPicture(card, "Virtual-1")
	b.wantNoErrors()
}

// TestBrowserClock stops, steps and runs the clock under a program.
func TestBrowserClock(t *testing.T) {
	m, b := openPage(t, udrmtest.Options{})
	m.Start("modetest", "-M", "vkms", "-s", "Virtual-1:1024x768", "-v")
	b.awaitPictures("card0:Virtual-1", 2)
	b.click(`#clock [name="stop"]`)
	b.await("the stop", func() bool { return m.Clock() == machine.ClockStep })
	b.awaitTrue(`document.querySelector("#clock output").value === "step"`)
	frames := func() uint64 {
		n, err := m.Card("card0").Machine().Frames("Virtual-1")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := frames()
	b.evaluate(`document.querySelector('#clock [name="steps"]').value = "7"`, new(string))
	b.click(`#clock [name="step"]`)
	b.await("seven vblanks", func() bool { return frames() >= before+7 })
	b.click(`#clock [name="run"]`)
	b.await("the run", func() bool { return m.Clock() == machine.ClockReal })
	b.awaitPictures("card0:Virtual-1", 2)
	b.wantNoErrors()
}

// TestBrowserRule lets a request of a program fail.
func TestBrowserRule(t *testing.T) {
	m, b := openPage(t, udrmtest.Options{})
	b.click(`#rule input`)
	b.write("ADDFB2#1:error=ENOSPC")
	b.click(`#rule button`)
	b.awaitTrue(`document.getElementById("active").innerText.includes("fired 0 times")`)
	m.Start("modetest", "-M", "vkms", "-s", "Virtual-1:1024x768")
	b.awaitTrue(`document.getElementById("active").innerText.includes("fired 1 times")`)
	b.awaitTrue(`document.querySelector("#records .error")?.innerText.includes("= ENOSPC") === true`)
	b.click(`button[name="remove 1"]`)
	b.awaitTrue(`document.getElementById("active").innerText === ""`)
	b.wantNoErrors()
	// A refusal is shown.
	b.click(`#rule input`)
	b.write("start:screenshot=card0=/dev/null")
	b.click(`#rule button`)
	b.awaitTrue(`document.getElementById("message").innerText !== ""`)
}

// TestBrowserOtherPort opens a page of another server of this host, which another
// user may have started. The browser does not tell it the token.
func TestBrowserOtherPort(t *testing.T) {
	m, s := serve(t, udrmtest.Options{})
	b := openBrowser(t, s.URL())
	connected := `document.getElementById("status")?.textContent === "connected"`
	b.awaitTrue(connected)
	heard := make(chan string, 1)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			heard <- fmt.Sprint(r.URL, r.Header)
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<title>other</title><img src="http://%s/icon.svg">`, s.Address())
	}))
	defer other.Close()
	b.evaluate(fmt.Sprintf(`location.href = %q`, other.URL+"/"), new(string))
	if request := <-heard; strings.Contains(request, token(t, s)) {
		t.Errorf("the other server learns the token: %s", request)
	}
	b.awaitTrue(`document.title === "other"`)
	b.evaluate(`history.back()`, new(string))
	b.awaitTrue(connected)
	b.click(`button[name="unplug card0"]`)
	b.await("the unplug", func() bool { return m.Card("card0").Machine().State() == machine.Unplugged })
}
