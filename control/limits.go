package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// Limits of what all clients together can make the server hold: whatever they
// do, the programs on the machine are served.
const (
	maxConnections = 256
	maxMemory      = 1 << 30 // for bodies and pictures
	freeBody       = 64 << 10
)

// A limitedListener accepts at most maxConnections at a time. It answers further
// ones with an error and closes them.
type limitedListener struct {
	*net.UnixListener

	mu   sync.Mutex
	open int
}

// tooMany is the answer to a connection that is one too many.
func tooMany() []byte {
	body, err := json.Marshal(&Error{
		Code: CodeRefused, Asked: "connect", Reason: fmt.Sprintf("%d connections are open", maxConnections), Advice: "close some of them",
	})
	if err != nil {
		panic(err) // the type cannot be encoded
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", len(body))
	out.Write(body)
	return out.Bytes()
}

// Accept implements [net.Listener].
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if l.enter() {
			return &limitedConn{UnixConn: c, listener: l}, nil
		}
		_, _ = c.Write(tooMany()) // the buffer of a new socket takes it at once
		c.Close()
	}
}

func (l *limitedListener) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == maxConnections {
		return false
	}
	l.open++
	return true
}

func (l *limitedListener) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
}

// A limitedConn is a connection of a limitedListener.
type limitedConn struct {
	*net.UnixConn
	listener *limitedListener
	once     sync.Once
}

// Close implements [net.Conn].
func (c *limitedConn) Close() error {
	c.once.Do(c.listener.leave)
	return c.UnixConn.Close()
}

// memory counts what the requests under way hold. Its mutex is a leaf.
type memory struct {
	mu   sync.Mutex
	used int64
}

// A holding is what one request holds.
type holding struct {
	memory *memory
	size   int64
}

// holdingKey is the key of a request's context for its holding.
type holdingKey struct{}

// holding returns a context for a request, and a function that gives back at its
// end what it holds.
func (m *memory) holding(ctx context.Context) (held context.Context, release func()) {
	h := &holding{memory: m}
	return context.WithValue(ctx, holdingKey{}, h), func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.used -= h.size
	}
}

// hold counts memory of a request until its end. It returns an error if the
// requests hold too much.
func hold(r *http.Request, asked string, size int64) error {
	h := r.Context().Value(holdingKey{}).(*holding)
	h.memory.mu.Lock()
	defer h.memory.mu.Unlock()
	if h.memory.used+size > maxMemory {
		return &Error{
			Code: CodeRefused, Asked: asked, Reason: fmt.Sprintf("the requests under way hold %d of %d MB", h.memory.used>>20, maxMemory>>20),
			Advice: "try again when some of them have ended",
		}
	}
	h.memory.used += size
	h.size += size
	return nil
}
