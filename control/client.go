package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/sys/unix"
)

// A Client steers a machine of another process. All methods may be called
// concurrently. Their errors are an [*Error], if the server has answered.
type Client struct {
	path string
	http http.Client
}

// NewClient returns a client of the machine whose socket has that path; see
// [Find].
func NewClient(path string) *Client {
	c := &Client{path: path}
	c.http.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}
	return c
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Machine describes the machine and its cards.
func (c *Client) Machine(ctx context.Context) (*Machine, error) {
	m := new(Machine)
	return m, c.call(ctx, "GET", "/v1/machine", nil, m)
}

// Card describes a card.
func (c *Client) Card(ctx context.Context, card string) (*Card, error) {
	answer := new(Card)
	return answer, c.call(ctx, "GET", cardPath(card), nil, answer)
}

// Plug plugs a card in.
func (c *Client) Plug(ctx context.Context, card string) (*Card, error) {
	return c.post(ctx, cardPath(card, "plug"), nil)
}

// Unplug pulls a card out. It returns when the last request in flight has ended.
func (c *Client) Unplug(ctx context.Context, card string) (*Card, error) {
	return c.post(ctx, cardPath(card, "unplug"), nil)
}

// Bind binds the driver to a card, after Unbind.
func (c *Client) Bind(ctx context.Context, card string) (*Card, error) {
	return c.post(ctx, cardPath(card, "bind"), nil)
}

// Unbind unbinds the driver from a card, a planned removal.
func (c *Client) Unbind(ctx context.Context, card string) (*Card, error) {
	return c.post(ctx, cardPath(card, "unbind"), nil)
}

// Connect plugs a monitor into a connector.
func (c *Client) Connect(ctx context.Context, card, connector string, request ConnectRequest) (*Card, error) {
	return c.post(ctx, cardPath(card, "connectors", connector, "connect"), request)
}

// Disconnect pulls the monitor out of a connector.
func (c *Client) Disconnect(ctx context.Context, card, connector string) (*Card, error) {
	return c.post(ctx, cardPath(card, "connectors", connector, "disconnect"), nil)
}

// Wait waits for what the request says.
func (c *Client) Wait(ctx context.Context, card string, request WaitRequest) (*Card, error) {
	return c.post(ctx, cardPath(card, "wait"), request)
}

// Screenshot returns the picture on a connector, as PNG. With the connector "",
// it is the only one that shows a picture.
func (c *Client) Screenshot(ctx context.Context, card, connector string) (png []byte, err error) {
	path := cardPath(card, "screenshot")
	if connector != "" {
		path += "?connector=" + url.QueryEscape(connector)
	}
	err = c.call(ctx, "GET", path, nil, &png)
	return png, err
}

func cardPath(card string, rest ...string) string {
	path := "/v1/cards/" + url.PathEscape(card)
	for _, part := range rest {
		path += "/" + url.PathEscape(part)
	}
	return path
}

func (c *Client) post(ctx context.Context, path string, request any) (*Card, error) {
	answer := new(Card)
	return answer, c.call(ctx, "POST", path, request, answer)
}

// call sends a request and stores the answer: raw into a *[]byte, else decoded.
func (c *Client) call(ctx context.Context, method, path string, request, answer any) error {
	var body io.Reader
	if request != nil {
		data, err := json.Marshal(request)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://udrm"+path, body)
	if err != nil {
		return err
	}
	response, err := c.http.Do(r)
	if err != nil {
		return c.failure(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return c.failure(err)
	}
	if response.StatusCode != http.StatusOK {
		refusal := new(Error)
		if err := json.Unmarshal(data, refusal); err != nil || refusal.Code == "" {
			return fmt.Errorf("%s: the answer is %s, not one of a machine", c.path, response.Status)
		}
		return refusal
	}
	if raw, ok := answer.(*[]byte); ok {
		*raw = data
		return nil
	}
	return json.Unmarshal(data, answer)
}

// failure explains why there is no answer.
func (c *Client) failure(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("no machine is running at %s; start one, such as: udrm run -- PROGRAM", c.path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: permission denied; run this as the user of the machine", c.path)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, unix.ECONNRESET):
		return fmt.Errorf("the machine at %s ended before it answered", c.path)
	}
	return err
}
