package kms

import (
	"sync"

	"golang.org/x/sys/unix"
)

// A frame is what a CRTC shows from one vblank to another, to be composed for a
// CRC stream or for writebacks.
type frame struct {
	state       *State
	composition *composition
	first, last uint64 // vblanks

	crc        *CRCStream   // or nil
	depth      uint         // of the CRC: see ModeConfig.signalDepth
	writebacks []*writeback // to be filled
	done       chan struct{}
}

// A composer composes the frames of a CRTC one after another, in a goroutine
// that runs while there are any.
type composer struct {
	mu     sync.Mutex
	frames []*frame // the first is being composed
}

// maxFrames bounds the frames that wait, and so the memory that a client can
// make them hold. If composing takes longer than a frame, some are lost.
const maxFrames = 4

// add queues f. A frame that is shown unchanged while an earlier one waits is
// composed once for all of its vblanks.
func (q *composer) add(f *frame) {
	if q.enqueue(f) {
		return
	}
	f.finish(refuse(unix.EBUSY, "frame %d not composed: %d earlier frames are waiting", f.last, maxFrames))
}

func (q *composer) enqueue(f *frame) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.frames)
	if n > 1 {
		last := q.frames[n-1]
		if last.state == f.state && last.crc == f.crc && len(last.writebacks)+len(f.writebacks) == 0 {
			last.last = f.last
			f.composition.release()
			close(f.done)
			return true
		}
	}
	if n == maxFrames {
		return false
	}
	q.frames = append(q.frames, f)
	if n == 0 {
		go q.run(f)
	}
	return true
}

// run composes f and the frames that are added meanwhile.
func (q *composer) run(f *frame) {
	for f != nil {
		f.compose()
		f.finish(nil)
		f = q.next()
	}
}

// next removes the first frame and returns the one after it, or nil.
func (q *composer) next() *frame {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.frames[0] = nil
	q.frames = q.frames[1:]
	if len(q.frames) == 0 {
		q.frames = nil
		return nil
	}
	return q.frames[0]
}

// settle waits until no frame of another state is being composed.
func (q *composer) settle(state *State) {
	for _, f := range q.others(state) {
		<-f.done
	}
}

// busy reports whether a frame of another state is being composed.
func (q *composer) busy(state *State) bool { return len(q.others(state)) > 0 }

// others returns the frames of other states.
func (q *composer) others(state *State) (frames []*frame) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range q.frames {
		if f.state != state {
			frames = append(frames, f)
		}
	}
	return frames
}

// compose composes the frame for the CRC stream and the writebacks.
func (f *frame) compose() {
	sum := lineCRC{depth: f.depth}
	f.composition.compose(func(y int, line []uint64) {
		if f.crc != nil {
			sum.add(line)
		}
		for _, w := range f.writebacks {
			w.line(y, line)
		}
	})
	if f.crc != nil {
		f.crc.add(f.first, f.last, sum.crc)
	}
}

// finish releases the frame and completes its writebacks.
func (f *frame) finish(err error) {
	f.composition.release()
	for _, w := range f.writebacks {
		w.complete(err)
	}
	close(f.done)
}
