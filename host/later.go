package host

import "golang.org/x/sys/unix"

// A call on a path reads the path, and many others read or write more. A program
// can withhold that memory (usermem.go), for ever and in as many threads as it
// has. So no worker waits for it: the handler is given up, and the call is served
// anew once the memory was there. Meanwhile it takes a goroutine, and a thread only
// for the copy that waits, of which the quota allows few. The same holds for a call
// that the program's own thread makes while a worker waits for it (inject.go).
//
// Invariant: a handler that is given up has changed nothing.
//
// Why it holds: handlers read memory before they change anything, and write it when
// nothing is left to do.

// later is the panic by which a handler is given up, for memory that must be waited
// for. No other code recovers from it.
type later struct {
	copy    func() error // waits for the memory
	written bool         // the handler was about to write there
}

// maxLater is how often a call is served anew. A program that takes its memory away
// each time before it is used gets the kernel's answer.
const maxLater = 32

// later serves the call anew once the memory is there. A call that is interrupted
// is run by the kernel, which waits for the same memory.
func (c *call) later(l later) {
	if err := shortage(); err != nil { // each time that it is served, it would end here
		c.fail(err)
		return
	}
	c.answered = true // by the goroutine, or by whoever serves it then
	waiting := &call{host: c.host, server: c.server, listener: c.listener, worker: c.worker, account: c.account, n: c.n, tries: c.tries}
	if c.compat != nil {
		waiting.n.Data = c.original
	}
	go waiting.awaitMemory(l)
}

func (c *call) awaitMemory(l later) {
	r := c.staying()
	defer r.end()
	err := c.copySlowly(r, l.copy)
	switch {
	case err == nil && c.tries < maxLater:
		c.host.turns.again(c.account, postponed{c.server, c.n, c.tries + 1})
	case l.written && err == unix.EFAULT:
		_ = c.listener.Fail(c.n.ID, unix.EFAULT)
	default:
		if !l.written {
			c.host.deny(DenialMemory, c.n.PID, err)
		}
		_ = c.listener.Continue(c.n.ID) // the kernel knows the right error
	}
}

// shortage returns EMFILE or ENFILE if no descriptor is left. Nothing can be found out
// about the memory of a program then.
func shortage() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}
