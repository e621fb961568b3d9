package control

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/udrm/udrm/machine"
)

// A Machine describes a machine as it is now.
type Machine struct {
	Name  string `json:"name"`
	PID   int    `json:"pid"` // of the process that has the machine
	Cards []Card `json:"cards"`
}

// A Card describes a card as it is now.
type Card struct {
	Label      string        `json:"label"`  // "card0" is the first described card
	Node       string        `json:"node"`   // such as "/dev/dri/card0"; "" if programs cannot open the card
	State      machine.State `json:"state"`  // plugged, unplugged and so on
	Driver     string        `json:"driver"` // such as "vkms"
	Connectors []Connector   `json:"connectors"`
}

// A Connector describes a connector as it is now.
type Connector struct {
	Name      string `json:"name"`      // such as "DP-1"
	Connected bool   `json:"connected"` // a monitor is plugged in
	Monitor   string `json:"monitor"`   // the name of that monitor in its EDID, or ""
	CRTC      *CRTC  `json:"crtc"`      // nil: the connector shows nothing
}

// A CRTC describes what a connector shows.
type CRTC struct {
	Index  int    `json:"index"`  // among the CRTCs of the card
	Mode   string `json:"mode"`   // such as "1920x1080@60"
	Frames uint64 `json:"frames"` // shown since the card was plugged
}

// A ConnectRequest names the monitor to plug in. The zero value is the monitor
// that the connector is described with.
type ConnectRequest struct {
	Monitor string `json:"monitor,omitempty"` // as in udrm run --monitor, without edid=
	EDID    []byte `json:"edid,omitempty"`    // of the monitor, instead of Monitor
}

// An AddConnectorRequest describes a connector to add, and the monitor that is
// plugged into it; without one, the connector is disconnected.
type AddConnectorRequest struct {
	Type    string `json:"type"`              // such as "DP"
	Monitor string `json:"monitor,omitempty"` // as in ConnectRequest
	EDID    []byte `json:"edid,omitempty"`
}

// An AddedConnector is a connector that was added.
type AddedConnector struct {
	Name string `json:"name"` // such as "DP-2"
}

// A WaitRequest says what to wait for: Frames, Lit or Matches.
type WaitRequest struct {
	// Connector is the connector to look at. "" is the only one of the card
	// that shows a picture.
	Connector string `json:"connector,omitempty"`

	Frames  uint64 `json:"frames,omitempty"`  // this many frames were shown since the card was plugged
	Lit     bool   `json:"lit,omitempty"`     // a picture is shown
	Matches []byte `json:"matches,omitempty"` // this PNG picture is shown

	Tolerance int    `json:"tolerance,omitempty"` // of Matches: the largest difference of a component, out of 255
	Mask      []byte `json:"mask,omitempty"`      // of Matches: a PNG; where it is black, pixels are ignored

	Timeout string `json:"timeout,omitempty"` // such as "1500ms"; default: 10s
}

// A ViewRequest asks for the page that shows the machine in a browser.
type ViewRequest struct {
	// Address is where to serve the page, such as "127.0.0.1:8080". "" is any
	// port of the loopback interface, or where the page is served already.
	Address string `json:"address,omitempty"`
}

// A View says where the page is.
type View struct {
	URL string `json:"url"` // with its token
}

// An Error is the answer to a request that was refused or failed.
type Error struct {
	Code   string `json:"code"`             // one of the codes below
	Asked  string `json:"asked"`            // such as "unplug card0"
	Reason string `json:"reason"`           // such as "card0 is not plugged"
	Advice string `json:"advice,omitempty"` // what to do, such as "plug it first"
}

// The codes of errors.
const (
	CodeBadRequest = "bad_request" // the request is malformed
	CodeForbidden  = "forbidden"   // the client belongs to another user
	CodeNotFound   = "not_found"   // there is no such card, connector or request
	CodeRefused    = "refused"     // the card is in the wrong state
	CodeTimeout    = "timeout"     // what was waited for did not happen in time
	CodeTooLarge   = "too_large"   // the body is too large
)

// statuses are the HTTP statuses of the codes.
var statuses = map[string]int{
	CodeBadRequest: http.StatusBadRequest,
	CodeForbidden:  http.StatusForbidden,
	CodeNotFound:   http.StatusNotFound,
	CodeRefused:    http.StatusConflict,
	CodeTimeout:    http.StatusGatewayTimeout,
	CodeTooLarge:   http.StatusRequestEntityTooLarge,
}

// Error returns one line with all that the error says.
func (e *Error) Error() string {
	line := e.Reason
	if !strings.HasPrefix(e.Reason, e.Asked+":") {
		line = fmt.Sprintf("%s: %s", e.Asked, e.Reason)
	}
	if e.Advice != "" {
		line += "; " + e.Advice
	}
	return line
}

// Describe returns the description of a card.
func Describe(c *machine.Card) Card {
	card := Card{Label: c.Label(), State: c.State(), Driver: string(c.Description().Driver), Connectors: []Connector{}}
	if node := c.Node(); node != "" {
		card.Node = "/dev/dri/" + node
	}
	for _, info := range c.ConnectorInfos() {
		connector := Connector{Name: info.Name, Connected: info.Connected, Monitor: info.Monitor}
		if info.CRTC != nil {
			connector.CRTC = &CRTC{Index: info.CRTC.Index, Mode: info.CRTC.Mode, Frames: info.CRTC.Frames}
		}
		card.Connectors = append(card.Connectors, connector)
	}
	return card
}
