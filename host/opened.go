package host

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/host/internal/files"
	"github.com/udrm/udrm/host/internal/snapshot"
	"github.com/udrm/udrm/internal/pollfd"
)

// An opened is what a descriptor of a program refers to, if the host made it.
type opened struct {
	file   *files.File // an open node
	dmaBuf *gem.DMABuf // otherwise, if not nil: a dma-buf
	path   string      // otherwise, if not "": a virtual file, directory or link
	stream *files.File // the open file at path, if it is a stream
}

// openedAs returns what an open file of a program refers to. link is its link in
// /proc, at procPath, and identify returns its identity and type. The link alone
// proves nothing, as programs choose the names of files: it only spares most files
// the rest.
func (h *Host) openedAs(link []byte, procPath string, identify func(*unix.Stat_t) error) (o opened) {
	if inode := files.SocketInode(link); inode != 0 {
		o.path = h.attributes.Path(inode)
		return o
	}
	if inode := files.PipeInode(link); inode != 0 {
		if f := h.files.Lookup(inode, procPath); f != nil && f.Node() != nil {
			o.file = f
		} else if f != nil {
			s, _ := f.Client().(*stream)
			o.path, o.stream = s.at(), f
		} else {
			o.path = h.attributes.Path(inode)
		}
		return o
	}
	isSnapshot := snapshot.Named(link)
	if !isSnapshot && !h.chardevs.mayHave(link) && !h.shadow.MayHave(link) && !h.mayBeTerminal(link) {
		return o
	}
	var st unix.Stat_t
	if identify(&st) != nil {
		return o
	}
	id := pollfd.IDOf(&st)
	if isSnapshot {
		o.path = h.snapshots.Path(link, &st)
	} else if f, ok := h.chardevs.find(id); ok {
		o.path = f.path
	} else if o.path = h.terminalPath(id); o.path != "" {
	} else if o.path = h.shadow.Path(id); o.path == "" {
		o.dmaBuf = gem.LookupDMABuf(&st)
	}
	return o
}

// file returns the file that a descriptor refers to, or nil. The caller puts
// it.
func (c *call) file(fd int32) *files.File {
	inode, known := c.fds.Pipe(c.tid(), int(fd))
	if !known {
		link, err := c.fds.Link(c.tid(), int(fd), c.linkBuf[:])
		if err != nil {
			return nil
		}
		inode = files.PipeInode(link)
	}
	if inode == 0 {
		return nil
	}
	kept := c.fds.Kept(c.tid())
	p := &c.proofs[(kept*32+uint64(fd))%uint64(len(c.proofs))]
	now := proof{kept, fd, inode, p.at}
	if kept != 0 && *p == now && !c.received.IsZero() && c.received.Sub(p.at) < proofTime {
		return c.host.files.AcquireProven(inode)
	}
	f := c.host.files.Acquire(inode, c.tid().FDPath(fd))
	if f != nil && c.tid().PathOnly(fd) {
		f.Put()
		return nil
	}
	if f != nil {
		now.at = c.received
		*p = now
	}
	return f
}

// A proof says that a descriptor of a thread was that of a file of this host, and
// of no other pipe with the same number (files/proof.go).
type proof struct {
	kept  uint64 // identifies the thread: see thread.FDs.Kept
	fd    int32
	inode uint64
	at    time.Time
}

// proofTime is how long a proof is relied on while the descriptor is a pipe with
// the same number. To put another one in its place, a program must have made
// 2^32 pipes, and had the file itself within that time.
const proofTime = time.Second

// opened returns what a descriptor of the program refers to.
func (c *call) opened(fd int32) opened {
	link, err := c.tid().FD(int(fd), c.linkBuf[:])
	if err != nil {
		return opened{}
	}
	return c.host.openedAs(link, c.tid().FDPath(fd), func(st *unix.Stat_t) error { return c.tid().IdentifyFD(fd, st) })
}

// mayBeTerminal reports whether a link of /proc may be that of a dma-buf or of a
// virtual terminal.
func (h *Host) mayBeTerminal(link []byte) bool {
	return (gem.DMABufs() > 0 || h.terminals != nil && h.terminals.Any()) && isTerminal(link)
}

// isTerminal reports whether a link of /proc may be that of a pseudoterminal:
// /dev/pts/3, wherever that is mounted.
func isTerminal(link []byte) bool {
	number := bytes.TrimRight(link, "0123456789")
	return len(number) > 0 && len(number) < len(link) && number[len(number)-1] == '/'
}

// atFD serves a call on what a descriptor refers to, if the host made it.
func (c *call) atFD(fd int32, onOpened func(opened)) {
	o := c.opened(fd)
	if o == (opened{}) {
		c.proceed()
		return
	}
	onOpened(o)
}

// shownPath returns the path of an open file as /proc shows it.
func (h *Host) shownPath(o opened) string {
	shown, gone := o.path, false
	if o.file != nil {
		m := o.file.Node().Minor()
		shown, gone = "/dev/dri/"+m.Name(), h.class.Minor(m.Number()) != m
	} else if o.dmaBuf != nil {
		shown = "/dmabuf:" + o.dmaBuf.Name()
	} else if _, hidden := h.tree.Load().Lookup(o.path); hidden {
		gone = true
	}
	if gone {
		shown += " (deleted)"
	}
	return shown
}
