package view

import "encoding/json"

// A request is a message of a viewer, as JSON. Each member is optional.
type request struct {
	// Watch are the screens to send pictures of from now on, such as
	// "card0:DP-1". It replaces the earlier list.
	Watch *[]string `json:"watch"`
	// Trace switches the trace on or off.
	Trace *bool `json:"trace"`
	// Drawn says that the last picture of a screen is drawn, so that the next
	// one can be sent.
	Drawn string `json:"drawn"`
}

// An update is a text message of the server, as JSON. It has one of these.
//
// The other messages are binary: pictures, see [encoder].
type update struct {
	Tree  *tree             `json:"tree,omitempty"`
	Trace []json.RawMessage `json:"trace,omitempty"` // lines of package trace
	Lost  int               `json:"lost,omitempty"`  // records that were dropped before these
}
