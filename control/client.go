package control

import (
	"bufio"
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

	"github.com/udrm/udrm/machine"
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

// AddConnector adds a connector to a card and returns its name.
func (c *Client) AddConnector(ctx context.Context, card string, request AddConnectorRequest) (name string, err error) {
	var answer AddedConnector
	err = c.call(ctx, "POST", cardPath(card, "connectors"), request, &answer)
	return answer.Name, err
}

// RemoveConnector removes a connector that AddConnector has added.
func (c *Client) RemoveConnector(ctx context.Context, card, connector string) (*Card, error) {
	answer := new(Card)
	return answer, c.call(ctx, "DELETE", cardPath(card, "connectors", connector), nil, answer)
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

// Compare compares the picture on a connector with a wanted one.
func (c *Client) Compare(ctx context.Context, card string, request CompareRequest) (*Comparison, error) {
	answer := new(Comparison)
	return answer, c.call(ctx, "POST", cardPath(card, "compare"), request, answer)
}

// Clock returns what makes vblanks happen.
func (c *Client) Clock(ctx context.Context) (*Clock, error) {
	answer := new(Clock)
	return answer, c.call(ctx, "GET", "/v1/clock", nil, answer)
}

// SetClock changes what makes vblanks happen; see [machine.Machine.SetClock].
func (c *Client) SetClock(ctx context.Context, mode machine.ClockMode) (*Clock, error) {
	answer := new(Clock)
	return answer, c.call(ctx, "POST", "/v1/clock", Clock{Mode: mode}, answer)
}

// StepClock lets vblanks happen; see [machine.Machine.StepClock].
func (c *Client) StepClock(ctx context.Context, request StepRequest) (*Clock, error) {
	answer := new(Clock)
	return answer, c.call(ctx, "POST", "/v1/clock/step", request, answer)
}

// Seat describes the seat of the machine.
func (c *Client) Seat(ctx context.Context) (*Seat, error) {
	answer := new(Seat)
	return answer, c.call(ctx, "GET", "/v1/seat", nil, answer)
}

// SteerSeat tells the seat what to do: see [SeatRequest].
func (c *Client) SteerSeat(ctx context.Context, do string) (*Seat, error) {
	answer := new(Seat)
	return answer, c.call(ctx, "POST", "/v1/seat", SeatRequest{Do: do}, answer)
}

// Rules returns the rules that clients have added.
func (c *Client) Rules(ctx context.Context) (rules []Rule, err error) {
	return rules, c.call(ctx, "GET", "/v1/rules", nil, &rules)
}

// AddRule aims a rule at the machine: it is written as after udrm run --on. If
// it has not fired when the program ends, udrm run fails.
func (c *Client) AddRule(ctx context.Context, rule string) (*Rule, error) {
	answer := new(Rule)
	return answer, c.call(ctx, "POST", "/v1/rules", RuleRequest{Rule: rule}, answer)
}

// RemoveRule removes a rule, and returns when its actions have ended.
func (c *Client) RemoveRule(ctx context.Context, id int) (*Rule, error) {
	answer := new(Rule)
	return answer, c.call(ctx, "DELETE", fmt.Sprintf("/v1/rules/%d", id), nil, answer)
}

// WaitRule waits until a rule has fired and its actions are done.
func (c *Client) WaitRule(ctx context.Context, id int, request RuleWaitRequest) (*Rule, error) {
	answer := new(Rule)
	return answer, c.call(ctx, "POST", fmt.Sprintf("/v1/rules/%d/wait", id), request, answer)
}

// StartTrace begins to record a trace into a file of the machine's user. The
// path is the whole one.
func (c *Client) StartTrace(ctx context.Context, file string) (*Trace, error) {
	answer := new(Trace)
	return answer, c.call(ctx, "POST", "/v1/trace/start", TraceRequest{File: file}, answer)
}

// StopTrace ends a trace, the only one if file is "". The file is then complete.
func (c *Client) StopTrace(ctx context.Context, file string) (*Trace, error) {
	answer := new(Trace)
	return answer, c.call(ctx, "POST", "/v1/trace/stop", StopTraceRequest{File: file}, answer)
}

// Trace copies a trace to a writer, in whole lines, until ctx or the machine
// ends, which are no errors. The first line is written when the trace has begun.
func (c *Client) Trace(ctx context.Context, to io.Writer) error {
	response, err := c.send(ctx, "GET", "/v1/trace", nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	for lines := bufio.NewReader(response.Body); ; {
		line, err := lines.ReadBytes('\n')
		switch {
		case err == nil:
		case ctx.Err() != nil || err == io.EOF && len(line) == 0:
			return nil
		default:
			return fmt.Errorf("the trace is incomplete: the machine at %s was killed, or this client read too slowly", c.path)
		}
		if _, err := to.Write(line); err != nil {
			return err
		}
	}
}

// View asks the machine to serve its page at an address, and returns the URL of
// the page; see [ViewRequest].
func (c *Client) View(ctx context.Context, address string) (url string, err error) {
	var view View
	err = c.call(ctx, "POST", "/v1/view", ViewRequest{Address: address}, &view)
	return view.URL, err
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
	response, err := c.send(ctx, method, path, request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return c.failure(err)
	}
	if raw, ok := answer.(*[]byte); ok {
		*raw = data
		return nil
	}
	return json.Unmarshal(data, answer)
}

// send sends a request. The answer, unless it is a refusal, has the body.
func (c *Client) send(ctx context.Context, method, path string, request any) (*http.Response, error) {
	var body io.Reader
	if request != nil {
		data, err := json.Marshal(request)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://udrm"+path, body)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, c.failure(err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, c.failure(err)
	}
	refusal := new(Error)
	if err := json.Unmarshal(data, refusal); err != nil || refusal.Code == "" {
		return nil, fmt.Errorf("%s: the answer is %s, not one of a machine", c.path, response.Status)
	}
	return nil, refusal
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
