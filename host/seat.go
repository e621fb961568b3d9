package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/host/internal/files"
	"github.com/udrm/udrm/host/internal/vfs"
)

// A SeatDevice is a node that this process has opened for a program, as seatd
// and logind do. Its descriptors are the program's: the node is closed when the
// program has closed the last of them.
type SeatDevice struct {
	host   *Host
	file   *files.File
	caller seatCaller
}

// OpenForSeat opens the node at path, one of a card. The caller passes the
// descriptor fd on to the process pid over a Unix socket, and closes it. What
// the node takes is charged to the process group of pid. The errors are those of
// open(2); ENOENT if path is not a node of a card, EPERM if the card belongs to
// another seat than the given one, as logind answers.
//
// As with seatd and logind, the client of the node is this process, which may
// change the master.
func (h *Host) OpenForSeat(seat, path string, pid int) (fd int, d *SeatDevice, err error) {
	refuse := func(why string, errno unix.Errno) (int, *SeatDevice, error) {
		return -1, nil, fmt.Errorf("host: opening %q for a seat: %s: %w", path, why, errno)
	}
	if len(path) == 0 || path[0] != '/' {
		return refuse("not an absolute path", unix.ENOENT)
	}
	at, err := h.tree.Load().Walk("/", path, vfs.Rules{}, noRealLinks{})
	if err != nil || at.Node == nil || at.Node.Kind != vfs.Char || at.Node.Major != 0 {
		return refuse("not a node of a card", unix.ENOENT)
	}
	minor := h.class.Minor(at.Node.Minor)
	if minor == nil {
		return refuse("its card is gone", unix.ENOENT)
	}
	if other := cmp.Or(idSeat(minor.Device().Parent().Description()), defaultSeat); other != seat {
		return refuse(fmt.Sprintf("ID_SEAT of its card says %s, and this seat is %s", other, seat), unix.EPERM)
	}
	const flags = unix.O_RDWR | unix.O_NOCTTY | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK
	c := seatCaller{account: h.accounts.of(pid)}
	if fd, err = h.files.OpenMinor(c, minor, &files.Opener{Client: c.Client()}, flags); err != nil {
		return -1, nil, fmt.Errorf("host: opening %s for a seat: %w", minor.Name(), err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, nil, errors.Join(fmt.Errorf("host: fstat: %w", err), unix.Close(fd))
	}
	file := h.files.Acquire(st.Ino, fmt.Sprintf("/proc/self/fd/%d", fd))
	if file == nil {
		_ = unix.Close(fd)
		return refuse("the descriptor was lost", unix.EIO)
	}
	defer file.Put()
	return fd, &SeatDevice{host: h, file: file, caller: c}, nil
}

// defaultSeat is the seat of cards without ID_SEAT.
const defaultSeat = "seat0"

// idSeat returns ID_SEAT of a device, or "".
func idSeat(d bus.Description) (seat string) {
	for _, property := range d.Properties {
		if name, ok := strings.CutPrefix(property, "ID_SEAT="); ok {
			seat = name
		}
	}
	return seat
}

// Descriptor returns another descriptor of the open node. The caller passes it on
// and closes it. EBADF if the program has closed the node.
func (d *SeatDevice) Descriptor() (fd int, err error) { return d.file.OpenAgain() }

// SetMaster makes the node the master of its card. EBUSY if another one is. A
// render node has no master, and SetMaster does nothing.
func (d *SeatDevice) SetMaster() error {
	d.host.files.Drain(d.caller) // the master may have been closed just now
	d.host.files.AwaitMaster(d.caller, d.file.Node().Device())
	return d.request(uapi.IoctlSetMaster)
}

// DropMaster takes the mastership away from the node. What needs it fails with
// EACCES then.
func (d *SeatDevice) DropMaster() error { return d.request(uapi.IoctlDropMaster) }

func (d *SeatDevice) request(cmd uint32) error {
	node := d.file.Node()
	if node.Minor().Type() != drm.Primary {
		return nil
	}
	return node.Ioctl(context.Background(), d.caller, cmd, 0)
}

// noRealLinks are the files of the machine for the path of a seat's device: none
// of them is looked at, as a program may serve the file system. A link on the
// machine that leads to a card is therefore not followed.
type noRealLinks struct{}

func (noRealLinks) Readlink(string) (string, error) { return "", unix.EINVAL }

func (noRealLinks) Shows(string) bool { return true }

// A seatCaller is this process as the client of a node. It has no memory and no
// descriptors for requests.
type seatCaller struct{ account *drm.Account }

// seatWait is how long a seat waits until the master before is released. That
// takes long if its last flip is not shown yet.
const seatWait = time.Second

// Within, PID, Account and Wait implement files.Caller.
func (c seatCaller) Within(pid int) bool { return pid == os.Getpid() }

func (c seatCaller) PID() int { return os.Getpid() }

func (c seatCaller) Account() *drm.Account { return c.account }

func (c seatCaller) Wait(done <-chan struct{}, limit time.Duration) {
	if limit <= 0 || limit > seatWait {
		limit = seatWait
	}
	files.Wait(done, limit, nil)
}

// Client and the methods that follow implement drm.Caller.
func (c seatCaller) Client() drm.Client {
	return drm.Client{PID: os.Getpid(), UID: os.Geteuid(), Comm: "udrm seat", Admin: true, Account: c.account}
}

func (seatCaller) CopyFromUser([]byte, uint64) error { return unix.EFAULT }

func (seatCaller) CopyToUser(uint64, []byte) error { return unix.EFAULT }

func (seatCaller) InstallFD(int, bool) (int32, error) { return -1, unix.EMFILE }

func (seatCaller) StatFD(int32, *unix.Stat_t) error { return unix.EBADF }

func (seatCaller) DupFD(int32) (int, error) { return -1, unix.EBADF }

func (seatCaller) InstallFile(int, func(drm.EventSink) (drm.ClientFile, error)) (int32, error) {
	return -1, unix.EMFILE
}

func (seatCaller) LookupFile(int32) drm.ClientFile { return nil }
