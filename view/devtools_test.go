//go:build browser

package view_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// browserTimeout is how long a test waits for the browser.
const browserTimeout = 2 * time.Minute

// A browser is a Chromium that shows one page. The methods speak the DevTools
// protocol.
type browser struct {
	t      *testing.T
	conn   *websocket.Conn
	lastID int
	errors []string // that the page has reported
}

// openBrowser starts Chromium with a page. It ends with the test.
func openBrowser(t *testing.T, url string) *browser {
	t.Helper()
	dir, err := os.MkdirTemp("", "udrm-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd := exec.Command("chromium", "--headless=new", "--no-sandbox", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--no-proxy-server", "--window-size=1400,1000",
		"--user-data-dir="+dir, "--remote-debugging-port=0", url)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: make browser installs Chromium", err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	timer := time.AfterFunc(browserTimeout, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	var said []string
	address := ""
	lines := bufio.NewScanner(stderr)
	for address == "" && lines.Scan() {
		said = append(said, lines.Text())
		if rest, ok := strings.CutPrefix(lines.Text(), "DevTools listening on ws://"); ok {
			address, _, _ = strings.Cut(rest, "/")
		}
	}
	if !timer.Stop() || address == "" {
		t.Fatalf("Chromium did not start:\n%s", strings.Join(said, "\n"))
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }() // so that it never waits
	b := &browser{t: t}
	b.attach(address)
	return b
}

// attach connects to the first page.
func (b *browser) attach(address string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), browserTimeout)
	defer cancel()
	for b.conn == nil {
		var targets []struct{ Type, WebSocketDebuggerURL string }
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/json/list", nil)
		if err != nil {
			b.t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			b.t.Fatal(err)
		}
		err = json.NewDecoder(answer.Body).Decode(&targets)
		answer.Body.Close()
		if err != nil {
			b.t.Fatal(err)
		}
		for _, target := range targets {
			if target.Type == "page" {
				if b.conn, _, err = websocket.Dial(ctx, target.WebSocketDebuggerURL, nil); err != nil {
					b.t.Fatal(err)
				}
				break
			}
		}
	}
	b.conn.SetReadLimit(-1)
	b.t.Cleanup(func() { _ = b.conn.CloseNow() })
	b.call("Runtime.enable", nil, nil)
	b.call("Log.enable", nil, nil)
}

// A message is what the browser sends: the answer to a call, or an event.
type message struct {
	ID     int
	Method string
	Params struct {
		Entry            struct{ Level, Text, URL string }
		ExceptionDetails json.RawMessage
	}
	Result json.RawMessage
	Error  *struct{ Message string }
}

// call calls a method of the browser.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), browserTimeout)
	defer cancel()
	b.lastID++
	request, err := json.Marshal(map[string]any{"id": b.lastID, "method": method, "params": params})
	if params == nil {
		request, err = json.Marshal(map[string]any{"id": b.lastID, "method": method})
	}
	if err == nil {
		err = b.conn.Write(ctx, websocket.MessageText, request)
	}
	for err == nil {
		var data []byte
		if _, data, err = b.conn.Read(ctx); err != nil {
			break
		}
		var m message
		if err = json.Unmarshal(data, &m); err != nil {
			break
		}
		switch {
		case m.Method == "Runtime.exceptionThrown":
			b.errors = append(b.errors, string(m.Params.ExceptionDetails))
		case m.Method == "Log.entryAdded" && m.Params.Entry.Level == "error":
			b.errors = append(b.errors, m.Params.Entry.Text+" "+m.Params.Entry.URL)
		case m.Method != "" || m.ID != b.lastID:
		case m.Error != nil:
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		default:
			if result != nil {
				if err := json.Unmarshal(m.Result, result); err != nil {
					b.t.Fatal(err)
				}
			}
			return
		}
	}
	b.t.Fatalf("%s: %v", method, err)
}

// evaluate stores the value of a JavaScript expression.
func (b *browser) evaluate(expression string, value any) {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, answer.ExceptionDetails)
	}
	if answer.Result.Value == nil {
		return // undefined
	}
	if err := json.Unmarshal(answer.Result.Value, value); err != nil {
		b.t.Fatalf("%s: %s: %v", expression, answer.Result.Value, err)
	}
}

// await waits until ok returns true.
func (b *browser) await(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(browserTimeout); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			var text string
			b.evaluate("document.body.innerText", &text)
			b.t.Fatalf("waiting for %s: the page shows:\n%s\nerrors: %q", what, text, b.errors)
		}
	}
}

// awaitTrue waits until a JavaScript expression is true.
func (b *browser) awaitTrue(expression string) {
	b.t.Helper()
	b.await(expression, func() bool {
		var ok bool
		b.evaluate(expression, &ok)
		return ok
	})
}

// click presses and releases the mouse on the middle of an element, when that
// can be seen.
func (b *browser) click(selector string) {
	b.t.Helper()
	quoted, _ := json.Marshal(selector)
	var at []float64
	b.await(selector, func() bool {
		at = nil
		b.evaluate(fmt.Sprintf(`(() => {
			const e = document.querySelector(%s);
			if (!e || e.disabled) return null;
			e.scrollIntoView({block: "nearest"});
			const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2;
			return document.elementFromPoint(x, y) === e ? [x, y] : null;
		})()`, quoted), &at)
		return len(at) == 2
	})
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		b.call("Input.dispatchMouseEvent", map[string]any{
			"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1,
		}, nil)
	}
}

// write types text into the focused element.
func (b *browser) write(text string) {
	b.t.Helper()
	b.call("Input.insertText", map[string]any{"text": text}, nil)
}
