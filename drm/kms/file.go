package kms

import (
	"slices"
	"sync"

	"github.com/udrm/udrm/drm"
)

// fileState holds the framebuffers and blobs that an open file owns, with a
// reference to each.
type fileState struct {
	mu        sync.Mutex
	closed    bool
	fbs       []*Framebuffer // in order of creation
	blobs     map[*Blob]struct{}
	blobBytes int
}

func (m *ModeConfig) file(f *drm.File) *fileState { return drm.FileState[*fileState](f, m) }

// addBlob gives the caller's reference to the file. It reports false if the
// file has too many blobs.
func (f *fileState) addBlob(b *Blob) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.blobBytes+b.cost() > maxBlobsPerFile {
		return false
	}
	f.blobs[b] = struct{}{}
	f.blobBytes += b.cost()
	return true
}

// removeBlob gives the file's reference to the caller. It reports false if the
// file does not own the blob.
func (f *fileState) removeBlob(b *Blob) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.blobs[b]; !ok {
		return false
	}
	delete(f.blobs, b)
	f.blobBytes -= b.cost()
	return true
}

// addFB is like addBlob for framebuffers.
func (f *fileState) addFB(fb *Framebuffer) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.fbs) >= maxFBsPerFile {
		return false
	}
	f.fbs = append(f.fbs, fb)
	return true
}

// removeFB is like removeBlob for framebuffers.
func (f *fileState) removeFB(fb *Framebuffer) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.Index(f.fbs, fb)
	if i < 0 {
		return false
	}
	f.fbs = slices.Delete(f.fbs, i, i+1)
	return true
}

// fbIDs returns the ids of the framebuffers, the newest first.
func (f *fileState) fbIDs() []uint32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := ids(f.fbs)
	slices.Reverse(list)
	return list
}

// close removes everything from the file. Nothing can be added afterwards.
func (f *fileState) close() (fbs []*Framebuffer, blobs []*Blob) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	fbs = f.fbs
	for b := range f.blobs {
		blobs = append(blobs, b)
	}
	f.fbs, f.blobs, f.blobBytes = nil, nil, 0
	return fbs, blobs
}

func ids[T object](objects []T) []uint32 {
	list := make([]uint32, len(objects))
	for i, o := range objects {
		list[i] = o.ID()
	}
	return list
}
