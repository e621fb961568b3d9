package uapi

// The bits of a request number on most architectures:
//
//	31 30 | 29 … 16 | 15 … 8 | 7 … 0
//	 dir  |  size   |  type  |  nr
//
// From asm-generic/ioctl.h.
const (
	iocTypeShift = 8
	iocSizeShift = 16
	iocDirShift  = 30
	iocSizeMask  = 1<<(iocDirShift-iocSizeShift) - 1

	iocTypeNrMask = 1<<iocSizeShift - 1
)

// Directions of a request, seen from the client: it writes what the kernel
// reads. They can be combined.
const (
	IOCNone  = 0
	IOCWrite = 1
	IOCRead  = 2
)

// IOCDir returns cmd's direction: IOCWrite, IOCRead, both, or IOCNone.
func IOCDir(cmd uint32) uint32 { return cmd >> iocDirShift }

// IOCType returns cmd's type byte: IoctlBase for all requests to DRM devices.
func IOCType(cmd uint32) uint32 { return cmd >> iocTypeShift & 0xff }

// IOCNr returns cmd's number within its type.
func IOCNr(cmd uint32) uint32 { return cmd & 0xff }

// IOCSize returns the size of cmd's argument in bytes: that of the client's
// struct. With other headers, a client may have a longer or a shorter one.
func IOCSize(cmd uint32) uint32 { return cmd >> iocSizeShift & iocSizeMask }

// IO returns the DRM request of number nr without an argument. Drivers number
// their own requests from CommandBase up to, but not including, CommandEnd.
func IO(nr uint32) uint32 { return ioc(IOCNone, nr, 0) }

// IOR returns the DRM request of number nr with an argument of size bytes that
// the client only reads.
func IOR(nr, size uint32) uint32 { return ioc(IOCRead, nr, size) }

// IOW returns the DRM request of number nr with an argument of size bytes that
// the client only writes.
func IOW(nr, size uint32) uint32 { return ioc(IOCWrite, nr, size) }

// IOWR returns the DRM request of number nr with an argument of size bytes that
// the client writes and reads.
func IOWR(nr, size uint32) uint32 { return ioc(IOCRead|IOCWrite, nr, size) }

func ioc(dir, nr, size uint32) uint32 {
	return dir<<iocDirShift | size<<iocSizeShift | IoctlBase<<iocTypeShift | nr
}
