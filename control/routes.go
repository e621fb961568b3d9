package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
)

// A route is a kind of request. Its result is encoded as JSON, or as PNG if it
// is a picture, or is [answered]. Its error is an [*Error].
type route struct {
	method, path string
	serve        func(s *Server, w http.ResponseWriter, r *http.Request) (result any, err error)
}

// routes are all requests.
var routes = []route{
	{"GET", "/v1/machine", (*Server).getMachine},
	{"GET", "/v1/cards/{card}", (*Server).getCard},
	{"POST", "/v1/cards/{card}/plug", act("plug", (*machine.Card).Plug)},
	{"POST", "/v1/cards/{card}/unplug", act("unplug", (*machine.Card).Unplug)},
	{"POST", "/v1/cards/{card}/bind", act("bind", (*machine.Card).Bind)},
	{"POST", "/v1/cards/{card}/unbind", act("unbind", (*machine.Card).Unbind)},
	{"POST", "/v1/cards/{card}/connectors", (*Server).addConnector},
	{"DELETE", "/v1/cards/{card}/connectors/{connector}", (*Server).removeConnector},
	{"POST", "/v1/cards/{card}/connectors/{connector}/connect", (*Server).connect},
	{"POST", "/v1/cards/{card}/connectors/{connector}/disconnect", (*Server).disconnect},
	{"GET", "/v1/cards/{card}/screenshot", (*Server).screenshot},
	{"POST", "/v1/cards/{card}/compare", (*Server).compare},
	{"POST", "/v1/cards/{card}/wait", (*Server).wait},
	{"GET", "/v1/clock", (*Server).getClock},
	{"POST", "/v1/clock", (*Server).setClock},
	{"POST", "/v1/clock/step", (*Server).stepClock},
	{"GET", "/v1/seat", (*Server).getSeat},
	{"POST", "/v1/seat", (*Server).steerSeat},
	{"GET", "/v1/rules", (*Server).getRules},
	{"POST", "/v1/rules", (*Server).addRule},
	{"DELETE", "/v1/rules/{rule}", (*Server).removeRule},
	{"POST", "/v1/rules/{rule}/wait", (*Server).awaitRule},
	{"GET", "/v1/trace", (*Server).streamTrace},
	{"POST", "/v1/trace/start", (*Server).startTrace},
	{"POST", "/v1/trace/stop", (*Server).stopTrace},
	{"POST", "/v1/view", (*Server).view},
}

func (s *Server) getMachine(http.ResponseWriter, *http.Request) (any, error) {
	m := Machine{Name: s.name, PID: os.Getpid(), Cards: []Card{}}
	for _, c := range s.machine.Cards() {
		m.Cards = append(m.Cards, Describe(c))
	}
	return m, nil
}

func (s *Server) getCard(_ http.ResponseWriter, r *http.Request) (any, error) {
	c, err := s.card("show", r)
	if err != nil {
		return nil, err
	}
	return Describe(c), nil
}

// act returns the function of a route that does something to a card.
func act(verb string, do func(*machine.Card, context.Context) error) func(*Server, http.ResponseWriter, *http.Request) (any, error) {
	return func(s *Server, _ http.ResponseWriter, r *http.Request) (any, error) {
		c, err := s.card(verb, r)
		if err != nil {
			return nil, err
		}
		return finish(verb, verb+" "+c.Label(), c, do(c, r.Context()))
	}
}

func (s *Server) connect(w http.ResponseWriter, r *http.Request) (any, error) {
	c, connector, err := s.connector("connect", r.PathValue("connector"), r)
	if err != nil {
		return nil, err
	}
	asked := "connect " + c.Label() + ":" + connector
	var request ConnectRequest
	if err := decode(w, r, asked, &request); err != nil {
		return nil, err
	}
	monitor, err := request.monitor()
	if err != nil {
		return nil, &Error{Code: CodeBadRequest, Asked: asked, Reason: err.Error()}
	}
	return finish("connect", asked, c, c.Connect(r.Context(), connector, monitor))
}

// monitor returns the monitor to connect, nil for the connector's own.
func (r *ConnectRequest) monitor() (*kms.Monitor, error) {
	switch {
	case r.Monitor != "" && r.EDID != nil:
		return nil, errors.New("monitor and edid exclude each other; give one of them")
	case r.EDID != nil:
		return kms.MonitorFromEDID(r.EDID)
	case strings.Contains(r.Monitor, "edid="):
		return nil, errors.New("the server reads no files; send the content of the EDID file as edid")
	}
	return config.ParsePluggedMonitor(r.Monitor)
}

func (s *Server) disconnect(_ http.ResponseWriter, r *http.Request) (any, error) {
	c, connector, err := s.connector("disconnect", r.PathValue("connector"), r)
	if err != nil {
		return nil, err
	}
	return finish("disconnect", "disconnect "+c.Label()+":"+connector, c, c.Disconnect(r.Context(), connector))
}

func (s *Server) addConnector(w http.ResponseWriter, r *http.Request) (any, error) {
	c, err := s.card("add-connector", r)
	if err != nil {
		return nil, err
	}
	asked := "add-connector " + c.Label()
	var request AddConnectorRequest
	if err := decode(w, r, asked, &request); err != nil {
		return nil, err
	}
	asked += ":" + request.Type
	connectorType, err := config.ParseConnectorType(request.Type)
	if err != nil {
		return nil, &Error{Code: CodeBadRequest, Asked: asked, Reason: err.Error()}
	}
	monitor, err := (&ConnectRequest{Monitor: request.Monitor, EDID: request.EDID}).monitor()
	if err != nil {
		return nil, &Error{Code: CodeBadRequest, Asked: asked, Reason: err.Error()}
	}
	name, err := c.AddConnector(r.Context(), connectorType, monitor)
	if err != nil {
		return nil, refuse("add-connector", asked, c, err)
	}
	return AddedConnector{Name: name}, nil
}

func (s *Server) removeConnector(_ http.ResponseWriter, r *http.Request) (any, error) {
	c, connector, err := s.connector("remove-connector", r.PathValue("connector"), r)
	if err != nil {
		return nil, err
	}
	return finish("remove-connector", "remove-connector "+place(c, connector), c, c.RemoveConnector(r.Context(), connector))
}

func (s *Server) screenshot(_ http.ResponseWriter, r *http.Request) (any, error) {
	for name := range r.URL.Query() {
		if name != "connector" {
			return nil, &Error{
				Code: CodeBadRequest, Asked: "screenshot " + r.PathValue("card"), Reason: fmt.Sprintf("unknown parameter %q", name),
				Advice: "the only one is connector",
			}
		}
	}
	c, connector, err := s.connector("screenshot", r.URL.Query().Get("connector"), r)
	if err != nil {
		return nil, err
	}
	picture, err := c.Screenshot(connector)
	if err != nil {
		return nil, refuse("screenshot", "screenshot "+place(c, connector), c, err)
	}
	if err := hold(r, "screenshot "+place(c, connector), int64(len(picture.Pix))); err != nil {
		return nil, err
	}
	return picture, nil
}

func (s *Server) view(w http.ResponseWriter, r *http.Request) (any, error) {
	var request ViewRequest
	if err := decode(w, r, "view", &request); err != nil {
		return nil, err
	}
	if s.openView == nil {
		return nil, &Error{Code: CodeRefused, Asked: "view", Reason: "this machine has no page", Advice: "start it with udrm run"}
	}
	url, err := s.openView(request.Address)
	if err != nil {
		return nil, &Error{Code: CodeRefused, Asked: "view", Reason: err.Error()}
	}
	return View{URL: url}, nil
}

// card returns the card of a request. Only plug may name a card that was never
// used: the machine makes it on demand.
func (s *Server) card(verb string, r *http.Request) (*machine.Card, error) {
	label := r.PathValue("card")
	known := slices.ContainsFunc(s.machine.Cards(), func(c *machine.Card) bool { return c.Label() == label })
	reason := "there is no " + label
	if known || verb == "plug" {
		c, err := s.machine.Card(label)
		if err == nil {
			return c, nil
		}
		reason = err.Error()
	}
	return nil, &Error{Code: CodeNotFound, Asked: verb + " " + label, Reason: reason, Advice: "udrm ls shows the cards"}
}

// connector returns the card of a request and checks that it has the connector.
// "" stands for the only connector that shows a picture.
func (s *Server) connector(verb, name string, r *http.Request) (*machine.Card, string, error) {
	c, err := s.card(verb, r)
	if err != nil || name == "" {
		return c, "", err
	}
	if err := c.CheckConnector(name); err != nil {
		if c.State() == machine.Unplugged {
			return nil, "", refuse(verb, verb+" "+place(c, name), c, err)
		}
		return nil, "", &Error{Code: CodeNotFound, Asked: verb + " " + place(c, name), Reason: err.Error(), Advice: "udrm ls shows the connectors"}
	}
	return c, name, nil
}

func place(c *machine.Card, connector string) string {
	if connector == "" {
		return c.Label()
	}
	return c.Label() + ":" + connector
}

// finish returns the answer to an action.
func finish(verb, asked string, c *machine.Card, err error) (any, error) {
	if err != nil {
		return nil, refuse(verb, asked, c, err)
	}
	return Describe(c), nil
}

// refuse returns the error for an action that the state of the card forbids.
func refuse(verb, asked string, c *machine.Card, err error) *Error {
	e := &Error{Code: CodeRefused, Asked: asked, Reason: err.Error()}
	switch state := c.State(); {
	case state == machine.Unplugging || state == machine.Unbinding:
		e.Advice = "wait until the requests in flight have ended"
	case state == machine.Unplugged:
		e.Advice = "plug it first"
	case verb == "plug":
		e.Advice = "unplug it first"
	case verb == "bind" && state == machine.Plugged:
		e.Advice = "unbind it first"
	case state == machine.Unbound:
		e.Advice = "bind it first"
	case verb == "disconnect":
		e.Advice = "connect one first"
	case verb == "screenshot":
		e.Advice = "wait until a program shows one, or name another connector"
	}
	return e
}
