package view

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/internal/accept"
	"github.com/udrm/udrm/machine"
)

// Options are the options of a [Server]. The zero value is ready for use.
type Options struct {
	// Address is where to listen, an address of the loopback interface such as
	// "127.0.0.1:8080"; default: any port of 127.0.0.1.
	Address string
	// Logger receives errors of connections. nil discards them.
	Logger *slog.Logger
}

// Limits of what clients can make the server hold.
const (
	maxConnections = 256
	maxViewers     = 8
	maxHeader      = 16 << 10
	headerTimeout  = 30 * time.Second
	answerTimeout  = time.Minute // for a file of the page
	idle           = 2 * time.Minute
)

// tooMany is the answer to a connection that is one too many of clients with the
// token.
const tooMany = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 31\r\nConnection: close\r\n\r\n" +
	"too many connections are open.\n"

// A Server serves the page of a machine.
type Server struct {
	machine  *machine.Machine
	control  *control.Server
	log      *slog.Logger
	listener *accept.Limited
	token    string
	http     http.Server
	served   chan error
	end      context.CancelFunc // of all viewers

	mu      sync.Mutex
	ended   bool
	viewers map[*viewer]bool
	running sync.WaitGroup // viewers; grows under mu, unless ended
}

//go:embed page
var pageFiles embed.FS

// Serve begins to serve the page of a machine, whose control server executes
// what the buttons ask for. Close the page before the control server.
func Serve(m *machine.Machine, c *control.Server, opts Options) (*Server, error) {
	l, err := listen(opts.Address)
	if err != nil {
		return nil, fmt.Errorf("view: %w", err)
	}
	s := &Server{
		machine: m, control: c, log: opts.Logger, token: rand.Text(),
		served: make(chan error, 1), viewers: make(map[*viewer]bool),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.listener = accept.NewLimited(l, maxConnections, []byte(tooMany), func(err error) {
		s.log.Error(fmt.Sprintf("view: accepting connections, which is tried again: %v", err))
	})
	var ctx context.Context
	ctx, s.end = context.WithCancel(context.Background())
	page, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the directory is missing in the repository
	}
	mux := http.NewServeMux()
	files := http.FileServerFS(page)
	mux.Handle("/", s.protect(files))
	for _, public := range []string{"view.css", "view.js", "icon.svg"} { // the page loads them without its token
		mux.Handle("GET /"+public, files)
	}
	mux.Handle("/v1/", s.protect(s.steer(c.Handler())))
	mux.Handle("GET /watch", s.protect(http.HandlerFunc(s.watch)))
	s.http = http.Server{
		BaseContext: func(net.Listener) context.Context { return ctx },
		Handler:     local(mux), MaxHeaderBytes: maxHeader, ReadHeaderTimeout: headerTimeout, WriteTimeout: answerTimeout, IdleTimeout: idle,
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	go func() { s.served <- s.http.Serve(s.listener) }()
	return s, nil
}

// steer lets the control server answer a request. Then each viewer looks at the
// machine again.
func (s *Server) steer(controls http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		controls.ServeHTTP(w, r)
		s.mu.Lock()
		defer s.mu.Unlock()
		for v := range s.viewers {
			v.poke()
		}
	})
}

// listen listens on an address of the loopback interface.
func listen(address string) (net.Listener, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address; write it as in 127.0.0.1:8080", address)
	}
	if host == "" || host == "localhost" {
		host = "127.0.0.1"
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("%s: the page is served to this computer only; use 127.0.0.1:%s, and ssh -L from another one", address, port)
	}
	return net.Listen("tcp", net.JoinHostPort(host, port))
}

// URL returns the URL of the page, with its token.
func (s *Server) URL() string { return fmt.Sprintf("http://%s/?token=%s", s.Address(), s.token) }

// Address returns the address of the listener.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close ends the page: its viewers and the requests under way.
func (s *Server) Close() error {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.end()
	err := s.http.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	s.running.Wait()
	return err
}
