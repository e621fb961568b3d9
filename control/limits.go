package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
)

// Limits of what all clients together can make the server hold: whatever they
// do, the programs on the machine are served.
const (
	maxConnections      = 256
	maxGroupConnections = maxConnections / 3 * 2 // of one process group
	maxMemory           = 1 << 30                // for bodies and pictures
	freeBody            = 64 << 10               // a body that does not count; no request without a picture has a larger one
)

// tooMany is the answer to a connection that is one too many.
func tooMany() []byte {
	body, err := json.Marshal(&Error{
		Code: CodeRefused, Asked: "connect", Advice: "close some of them",
		Reason: fmt.Sprintf("%d connections are open, or %d of the process group", maxConnections, maxGroupConnections),
	})
	if err != nil {
		panic(err) // the type cannot be encoded
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", len(body))
	out.Write(body)
	return out.Bytes()
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
