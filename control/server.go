package control

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/internal/accept"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/picture"
)

// Options are the options of a [Server]. The zero value is ready for use.
type Options struct {
	// Name names the machine; default: the process ID.
	Name string
	// Logger receives a record of each request at level Debug. nil discards
	// them.
	Logger *slog.Logger
	// View opens the page that shows the machine at an address of a
	// [ViewRequest], and returns its URL. nil: the machine has no page.
	View func(address string) (url string, err error)
}

// Limits of what a client can make the server hold.
const (
	maxBody   = 64 << 20 // of a request that has pictures or an EDID: one of 4096x4096 pixels, in base64
	maxHeader = 16 << 10
	ioTimeout = 30 * time.Second // of a request's head, its body and its answer, each
	idle      = 2 * time.Minute  // until an unused connection is closed
	grace     = time.Second      // for answers under way when the machine ends
)

// A Server steers a machine for its clients.
type Server struct {
	machine *machine.Machine
	name    string
	log     *slog.Logger
	path    string

	openView func(address string) (url string, err error) // or nil

	http   http.Server
	served chan error
	end    context.CancelCauseFunc // of all requests
	memory memory                  // that requests hold

	mu       sync.Mutex
	ended    bool
	requests sync.WaitGroup // grows under mu, unless ended
	rules    []rule         // that clients have added
	lastRule int            // the last ID of a rule
	traces   []*fileTrace   // that are being recorded
	streams  int            // the number of traces that clients read
}

// errEnded is the cause of a request that the end of the machine has ended.
var errEnded = errors.New("the machine has ended")

// Serve begins to serve clients of a machine.
func Serve(m *machine.Machine, opts Options) (*Server, error) {
	s := &Server{
		machine: m, name: cmp.Or(opts.Name, strconv.Itoa(os.Getpid())), log: opts.Logger, openView: opts.View, served: make(chan error, 1),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	l, err := listen(s.name)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	s.path = l.Addr().String()
	m.RemoveIfKilled(s.path)
	var ctx context.Context
	ctx, s.end = context.WithCancelCause(context.Background())
	s.http = http.Server{
		BaseContext: func(net.Listener) context.Context { return ctx },
		Handler:     s.handler(), MaxHeaderBytes: maxHeader, ReadHeaderTimeout: ioTimeout, IdleTimeout: idle,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), ConnContext: withPeer,
	}
	limited := accept.Grouped(l, maxConnections, maxGroupConnections, groupOf, tooMany(), func(err error) {
		s.log.Error(fmt.Sprintf("control: accepting connections, which is tried again: %v", err))
	})
	go func() { s.served <- s.http.Serve(limited) }()
	return s, nil
}

// Path returns the path of the socket.
func (s *Server) Path() string { return s.path }

// Close removes the socket, ends the waits of clients, and returns when the last
// request has ended. Then it ends the rules and traces of clients.
func (s *Server) Close() error {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.end(errEnded)
	answered := make(chan struct{})
	go func() {
		s.requests.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-time.After(grace): // for clients that do not read their answers
	}
	err := s.http.Close() // closes the listener, which removes the socket
	<-s.served
	<-answered
	for _, r := range s.rules {
		_ = r.trigger.Close() // it has logged its errors
	}
	s.mu.Lock()
	traces := slices.DeleteFunc(s.traces, func(t *fileTrace) bool { return t.file == nil })
	s.traces = nil
	s.mu.Unlock()
	for _, t := range traces {
		err = errors.Join(err, t.close())
	}
	return err
}

// begin counts a request. It returns false if the machine has ended.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.requests.Add(1)
	}
	return !s.ended
}

// peerKey is the key of a connection's context for the error of checkPeer.
type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, checkPeer(c))
}

// peerOf returns the credentials of the client.
func peerOf(c net.Conn) (peer *unix.Ucred, err error) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	if controlErr := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); controlErr != nil {
		return nil, controlErr
	}
	return peer, err
}

// groupOf returns the process group of the client, or 0 if it is unknown.
func groupOf(c net.Conn) int {
	peer, err := peerOf(c)
	if err != nil || peer.Pid <= 0 { // 0: in no pid namespace of this process
		return 0
	}
	group, err := unix.Getpgid(int(peer.Pid))
	if err != nil {
		return 0 // it has ended
	}
	return group
}

// checkPeer returns an error if the client belongs to another user. Root may do
// everything.
func checkPeer(c net.Conn) error {
	peer, err := peerOf(c)
	if err != nil {
		return err
	}
	if own := os.Geteuid(); int(peer.Uid) != own && peer.Uid != 0 {
		return fmt.Errorf("the client belongs to user %d, the machine to user %d", peer.Uid, own)
	}
	return nil
}

// webKey is the key of a request's context for the fact that it has not come
// through the socket.
type webKey struct{}

// Handler returns a handler of all requests for another listener, which must
// check its own clients. Clients of the socket can make the server write
// screenshots and traces into files. Those of this handler cannot.
func (s *Server) Handler() http.Handler {
	handler := s.handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), webKey{}, true)))
	})
}

// checkWriter returns an error if a request must not make the server write a
// file.
func checkWriter(r *http.Request, asked string) error {
	if r.Context().Value(webKey{}) == nil {
		return nil
	}
	return &Error{Code: CodeForbidden, Asked: asked, Reason: "only clients of the control socket can have files written", Advice: "use the udrm command"}
}

// handler returns the handler of all requests. It checks the clients of the
// socket.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range routes {
		mux.HandleFunc(route.method+" "+route.path, func(w http.ResponseWriter, r *http.Request) {
			result, err := route.serve(s, w, r)
			s.answer(w, r, result, err)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refusal := &Error{
			Code: CodeNotFound, Asked: r.Method + " " + r.URL.Path, Reason: "there is no such request",
			Advice: "see docs/control.openapi.yaml",
		}
		for _, method := range []string{"GET", "POST", "DELETE"} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
				refusal.Advice = "use the method " + method
			}
		}
		s.answer(w, r, nil, refusal)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.Method + " " + r.URL.Path
		if !s.begin() {
			s.answer(w, r, nil, &Error{Code: CodeRefused, Asked: asked, Reason: errEnded.Error()})
			return
		}
		defer s.requests.Done()
		if err, _ := r.Context().Value(peerKey{}).(error); err != nil {
			w.Header().Set("Connection", "close")
			s.answer(w, r, nil, &Error{Code: CodeForbidden, Asked: asked, Reason: err.Error(), Advice: "run the client as the user of the machine"})
			return
		}
		ctx, release := s.memory.holding(r.Context())
		defer release()
		mux.ServeHTTP(w, r.WithContext(ctx))
	})
}

// answer writes the answer to a request: an error, a picture or JSON.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, result any, err error) {
	if err != nil {
		s.log.Debug(fmt.Sprintf("control: %v", err))
	} else {
		s.log.Debug(fmt.Sprintf("control: %s %s", r.Method, r.URL))
	}
	if _, ok := result.(answered); ok && err == nil {
		return
	}
	extend := func() { _ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(ioTimeout)) }
	if shown, ok := result.(*image.NRGBA); ok && err == nil {
		w.Header().Set("Content-Type", "image/png")
		extend()
		_ = picture.Encode(w, shown) // fails if the client has gone
		return
	}
	w.Header().Set("Content-Type", "application/json")
	var refusal *Error
	if errors.As(err, &refusal) {
		w.WriteHeader(statuses[refusal.Code])
		result = refusal
	}
	extend()
	_ = json.NewEncoder(w).Encode(result)
}

// readBody reads the body of a request as a whole, so that one that is too large
// is refused fast.
func readBody(w http.ResponseWriter, r *http.Request, asked string, limit int64) ([]byte, error) {
	limited := http.MaxBytesReader(w, r.Body, limit)
	switch size := r.ContentLength; {
	case size > limit: // it is read, so that the client gets the answer
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody))
		return nil, &http.MaxBytesError{Limit: limit}
	case limit <= freeBody:
	case size < 0: // unknown
		if err := hold(r, asked, 2*limit); err != nil {
			return nil, err
		}
	case size > freeBody: // the body, and what is decoded from it
		if err := hold(r, asked, 2*size); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(limited)
}

// decode reads the body of a request into value. An empty body leaves value as
// it is.
func decode(w http.ResponseWriter, r *http.Request, asked string, value any) error {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(ioTimeout))
	defer control.SetReadDeadline(time.Time{})
	limit := int64(freeBody)
	switch value.(type) {
	case *ConnectRequest, *AddConnectorRequest, *WaitRequest, *CompareRequest:
		limit = maxBody // they have pictures and EDIDs
	}
	body, err := readBody(w, r, asked, limit)
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err == nil {
		err = d.Decode(value)
	}
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil && d.Decode(new(struct{})) == io.EOF, errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &tooLarge):
		return &Error{Code: CodeTooLarge, Asked: asked, Reason: fmt.Sprintf("the body has more than %d bytes", tooLarge.Limit), Advice: "send a smaller one"}
	case errors.As(err, &wrongType) && wrongType.Field == "":
		err = fmt.Errorf("the body is a JSON %s, not an object", wrongType.Value)
	case errors.As(err, &wrongType):
		err = fmt.Errorf("%s cannot be a %s", wrongType.Field, wrongType.Value)
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the JSON object has no end")
	case err == nil:
		err = errors.New("there is something behind the JSON object")
	}
	return &Error{Code: CodeBadRequest, Asked: asked, Reason: err.Error(), Advice: "see docs/control.openapi.yaml"}
}
