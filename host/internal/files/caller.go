package files

import (
	"time"

	"github.com/udrm/udrm/drm"
)

// A Caller is a call of a program that this process serves.
type Caller interface {
	// Within reports whether the process with that id makes the call.
	Within(pid int) bool

	// PID returns the id of the process that makes the call.
	PID() int

	// Account returns the account of the process group that makes the call.
	Account() *drm.Account

	// Wait returns when done is closed, when limit has passed, or when nothing
	// waits for the answer to the call any more. A limit of 0 waits without end.
	Wait(done <-chan struct{}, limit time.Duration)
}

// An Opener is the client that a file belongs to.
type Opener struct {
	drm.Client
	Program any  // what the client is a part of: see Table.Await
	NoIoctl bool // the file takes no requests: see File.NoIoctl
}
