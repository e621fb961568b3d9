package kms

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A Blob is the value of a property that is too large for 64 bits. The property
// holds its id (struct drm_property_blob). Its bytes do not change.
type Blob struct {
	objectBase
	refCount
	data    []byte
	account *drm.Account // charged for cost; nil for none
}

func (*Blob) objectType() uint32 { return uapi.ModeObjectBlob }
func (b *Blob) free()            { b.account.Refund(drm.HeldBytes, int64(b.cost())) }

// Data returns the bytes of the blob. The caller must not change them.
func (b *Blob) Data() []byte { return b.data }

// blobID returns the id of a blob, or 0 for nil.
func blobID(b *Blob) uint64 {
	if b == nil {
		return 0
	}
	return uint64(b.id)
}

// Limits on the blobs of a client. The largest sensible one is a colour table
// of some ten kilobytes. The kernel is limited by its memory only.
const (
	maxBlobSize     = 1 << 20
	maxBlobsPerFile = 16 << 20 // bytes
)

// cost returns what the blob counts against maxBlobsPerFile.
func (b *Blob) cost() int { return len(b.data) + 256 }

// newBlob returns a blob that keeps data, with one reference for the caller.
func (m *ModeConfig) newBlob(data []byte) *Blob {
	b := &Blob{data: data}
	m.objects.add(&b.objectBase, b)
	return b
}

// replaceBlob returns a blob of data, or nil for nil. It takes over the
// caller's reference to old: it returns old if that has the same data, else
// puts it. The new blob never has the id of the old one: clients tell by the id
// that the data has changed.
func (m *ModeConfig) replaceBlob(old *Blob, data []byte) (blob *Blob) {
	if old != nil && data != nil && bytes.Equal(old.data, data) {
		return old
	}
	if data != nil {
		blob = m.newBlob(data)
	}
	if old != nil {
		m.objects.put(old)
	}
	return blob
}

func (m *ModeConfig) findBlob(id uint32) (*Blob, error) {
	if b, ok := findAs[*Blob](&m.objects, id, uapi.ModeObjectBlob); ok {
		return b, nil
	}
	return nil, notFound(blobKind, id)
}

func (m *ModeConfig) getPropBlob(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeGetBlob) error {
	b, err := m.findBlob(arg.BlobID)
	if err != nil {
		return err
	}
	defer m.objects.put(b)
	room := arg.Length
	arg.Length = uint32(len(b.data))
	if room != arg.Length {
		return nil
	}
	return req.CopyToUser(arg.Data, b.data)
}

func (m *ModeConfig) createPropBlob(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeCreateBlob) error {
	if int32(arg.Length) <= 0 {
		return invalid("CREATEPROPBLOB: invalid length %d", int32(arg.Length))
	}
	if arg.Length > maxBlobSize {
		return refuse(unix.ENOMEM, "CREATEPROPBLOB: %d bytes are too many (limit %d)", arg.Length, maxBlobSize)
	}
	data := make([]byte, arg.Length)
	if err := req.CopyFromUser(data, arg.Data); err != nil {
		return err
	}
	f := m.file(req.File)
	b := &Blob{data: data, account: req.File.Client().Account}
	if err := b.account.Charge(drm.HeldBytes, int64(b.cost()), unix.ENOMEM); err != nil {
		return err
	}
	m.objects.add(&b.objectBase, b)
	if !f.addBlob(b) {
		m.objects.put(b)
		return refuse(unix.ENOMEM, "CREATEPROPBLOB: %d more bytes would exceed the limit of %d bytes per client; destroy some blobs first", len(data), maxBlobsPerFile)
	}
	arg.BlobID = b.id
	return nil
}

func (m *ModeConfig) destroyPropBlob(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeDestroyBlob) error {
	b, err := m.findBlob(arg.BlobID)
	if err != nil {
		return err
	}
	defer m.objects.put(b)
	if !m.file(req.File).removeBlob(b) {
		return refuse(unix.EPERM, "DESTROYPROPBLOB: blob %d was created by another client", b.id)
	}
	m.objects.put(b)
	return nil
}
