package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/gem"
)

// InProcess returns the DRM device of class that driver makes on dev. dev must
// be bound to driver already. The client is this process, with CAP_SYS_ADMIN.
func InProcess(class *drm.Class, dev *bus.Device, driver *bus.Driver) Target {
	s := &inProcess{class: class, nodes: make(map[int]*openNode)}
	s.as = drmtest.Self()
	s.as.Admin = true
	return Target{
		System:       s,
		Surroundings: s,
		Nodes: func() (primary, render string, err error) {
			for _, m := range class.Minors() {
				if m.Device().Parent() != dev {
					continue
				}
				if m.Type() == drm.Primary {
					primary = nodeDir + m.Name()
				} else {
					render = nodeDir + m.Name()
				}
			}
			if primary == "" {
				return "", "", fmt.Errorf("%s has no primary node", dev.Name())
			}
			return primary, render, nil
		},
		Fbdev: func() (string, error) {
			for path, k := range s.fbdevs() {
				if k.Parent == dev {
					return path, nil
				}
			}
			return "", fmt.Errorf("%s has no fbdev device", dev.Name())
		},
		Unplug: func() error { return dev.Unbind(context.Background()) },
		Plug:   func() error { return dev.Bind(driver) },
	}
}

const nodeDir = "/dev/dri/"

// inProcess is the [System] for the devices of a class. Each open node has a
// descriptor of /dev/null, so that its number is unique. The descriptors that
// requests return (dma-bufs, sync files, leases) are real ones, see package
// drmtest.
//
// Lock order: mu is a leaf.
type inProcess struct {
	class *drm.Class

	mu    sync.Mutex
	as    drm.Client
	nodes map[int]*openNode
}

type openNode struct {
	file     *drm.File
	fbdev    *drm.Chardev // instead of file
	nonblock bool
	refs     int // descriptors; guarded by inProcess.mu
}

func (s *inProcess) client() drm.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.as
}

func (s *inProcess) node(fd int) *openNode {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes[fd]
}

func (s *inProcess) caller() caller { return caller{(&drmtest.Client{As: s.client()}).Process(), s} }

func (s *inProcess) Open(path string, flags int) (int, error) {
	for _, m := range s.class.Minors() {
		if nodeDir+m.Name() != path {
			continue
		}
		file, err := m.Open(s.client(), flags, nil)
		if err != nil {
			return -1, withErrno(err)
		}
		fd, err := s.add(&openNode{file: file, nonblock: flags&unix.O_NONBLOCK != 0, refs: 1})
		if err != nil {
			file.Close()
		}
		return fd, err
	}
	if k := s.fbdevs()[path]; k != nil {
		return s.add(&openNode{fbdev: k.Chardev, refs: 1})
	}
	if filepath.Dir(path)+"/" == nodeDir {
		return -1, unix.ENOENT
	}
	return Syscalls().Open(path, flags)
}

// add gives an open node a descriptor.
func (s *inProcess) add(node *openNode) (int, error) {
	fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes[fd] = node
	return fd, nil
}

// fbdevs returns the fbdev devices of the class, by the paths of their nodes.
func (s *inProcess) fbdevs() map[string]*drm.Kobject {
	found := make(map[string]*drm.Kobject)
	for _, k := range s.class.Kobjects() {
		if k.Class == "graphics" {
			found["/dev/"+k.Name] = k
		}
	}
	return found
}

func (s *inProcess) Close(fd int) error {
	s.mu.Lock()
	node := s.nodes[fd]
	if node == nil {
		s.mu.Unlock()
		return drmtest.CloseFD(int32(fd))
	}
	delete(s.nodes, fd)
	node.refs--
	last := node.refs == 0
	s.mu.Unlock()
	err := unix.Close(fd)
	if last && node.file != nil {
		node.file.Close()
	}
	return err
}

func (s *inProcess) Dup(fd int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dup, err := Syscalls().Dup(fd)
	if node := s.nodes[fd]; node != nil && err == nil {
		node.refs++
		s.nodes[dup] = node
	}
	return dup, err
}

func (s *inProcess) Ioctl(fd int, cmd uint32, arg uintptr) error {
	ctx, caller := context.Background(), s.caller()
	if node := s.node(fd); node != nil && node.fbdev != nil {
		return withErrno(node.fbdev.Ioctl(ctx, caller, cmd, uint64(arg)))
	}
	if f := caller.LookupFile(int32(fd)); f != nil {
		return withErrno(f.Ioctl(ctx, caller, cmd, uint64(arg)))
	}
	if ok, err := gem.DMABufIoctl(ctx, caller, int32(fd), cmd, uint64(arg)); ok {
		return withErrno(err)
	}
	return Syscalls().Ioctl(fd, cmd, arg)
}

func (s *inProcess) Read(fd int, p []byte) (int, error) {
	node := s.node(fd)
	if node == nil || node.file == nil {
		return Syscalls().Read(fd, p)
	}
	n, err := node.file.Read(context.Background(), p, node.nonblock)
	return n, withErrno(err)
}

func (s *inProcess) Poll(fd int, events int16, timeout time.Duration) (int16, error) {
	node := s.node(fd)
	if node == nil || node.file == nil {
		return Syscalls().Poll(fd, events, timeout)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return node.file.Poll(ctx) & (events | unix.POLLHUP | unix.POLLERR | unix.POLLNVAL), nil
}

// dmaBuf returns the dma-buf behind a descriptor, nil for any other file.
func (s *inProcess) dmaBuf(fd int) *gem.DMABuf {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return nil
	}
	return gem.LookupDMABuf(&st)
}

func (s *inProcess) Seek(fd int, offset int64, whence int) (int64, error) {
	d := s.dmaBuf(fd)
	if node := s.node(fd); node != nil && node.fbdev != nil && whence == unix.SEEK_END {
		return offset, nil // the end is the beginning
	}
	if d == nil {
		return Syscalls().Seek(fd, offset, whence)
	}
	at, err := d.Seek(offset, whence)
	return at, withErrno(err)
}

func (s *inProcess) Mmap(fd int, offset uint64, length int) ([]byte, error) {
	if d := s.dmaBuf(fd); d != nil {
		if d.Flags() != unix.O_RDWR {
			return nil, unix.EACCES // mmap is for writing
		}
		m, err := d.Mmap(offset, uint64(length))
		return mapped(m, length, err)
	}
	if node := s.node(fd); node != nil && node.fbdev != nil {
		m, err := node.fbdev.Memory()
		m.Offset += int64(offset)
		return mapped(m, length, err)
	}
	file, ok := s.caller().LookupFile(int32(fd)).(*drm.File)
	if !ok {
		return Syscalls().Mmap(fd, offset, length)
	}
	m, err := file.Mmap(offset, uint64(length))
	return mapped(m, length, err)
}

// mapped maps the memory that a device or a dma-buf offers.
func mapped(m drm.Mapping, length int, err error) ([]byte, error) {
	if err != nil {
		return nil, withErrno(err)
	}
	defer m.Release()
	return Syscalls().Mmap(m.FD, uint64(m.Offset), length)
}

func (s *inProcess) Munmap(p []byte) error { return unix.Munmap(p) }

func (s *inProcess) Unprivileged(f func()) error {
	s.setAdmin(false)
	defer s.setAdmin(true)
	f()
	return nil
}

func (s *inProcess) setAdmin(admin bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.as.Admin = admin
}

// withErrno returns err, which wraps the errno that a program sees.
func withErrno(err error) error {
	var errno unix.Errno
	if err == nil || errors.As(err, &errno) {
		return err
	}
	return fmt.Errorf("%w: %w", err, drm.Errno(err))
}

// A caller is the caller of one request, with the memory and the descriptors of
// this process. Some of the descriptors are nodes.
type caller struct {
	drmtest.Process
	system *inProcess
}

// LookupFile implements drm.Caller.
func (c caller) LookupFile(fd int32) drm.ClientFile {
	if node := c.system.node(int(fd)); node != nil && node.file != nil {
		return node.file
	}
	return c.Process.LookupFile(fd)
}
