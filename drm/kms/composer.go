package kms

import (
	"sync"

	"golang.org/x/sys/unix"
)

// A frame is what a CRTC shows from one vblank to another, to be composed for
// who looks at it.
type frame struct {
	state       *State
	scene       *scene
	first, last uint64 // vblanks

	crc        *CRCStream   // nil when nobody wants it
	writebacks []*writeback // to be filled
	done       chan struct{}
}

// A composer composes the frames of a CRTC one after another, in a goroutine
// that runs while there are any.
type composer struct {
	mu     sync.Mutex
	frames []*frame // the first is being composed
}

// maxFrames bounds what waits, and with it the memory that a client can make
// us hold. When composing takes longer than a frame is shown, some are lost.
const maxFrames = 4

// add has f composed. What is shown unchanged while an earlier frame waits is
// composed once, for all of its vblanks.
func (q *composer) add(f *frame) {
	if q.enqueue(f) {
		return
	}
	f.finish(refuse(unix.EBUSY, "composing frame %d: earlier ones take too long", f.last))
}

func (q *composer) enqueue(f *frame) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.frames)
	if n > 1 {
		last := q.frames[n-1]
		if last.state == f.state && last.crc == f.crc && len(last.writebacks)+len(f.writebacks) == 0 {
			last.last = f.last
			f.scene.release()
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

// run composes f and what comes while it is at it.
func (q *composer) run(f *frame) {
	for f != nil {
		f.compose()
		f.finish(nil)
		f = q.next()
	}
}

// next takes the first frame away and returns the one behind it.
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

// settle waits until no state but the given one is being composed.
func (q *composer) settle(state *State) {
	q.mu.Lock()
	var wait []*frame
	for _, f := range q.frames {
		if f.state != state {
			wait = append(wait, f)
		}
	}
	q.mu.Unlock()
	for _, f := range wait {
		<-f.done
	}
}

// compose composes the frame for all who look.
func (f *frame) compose() {
	var sum lineCRC
	f.scene.compose(func(y int, line []uint64) {
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

// finish gives up what the frame holds and tells who waits for it.
func (f *frame) finish(err error) {
	f.scene.release()
	for _, w := range f.writebacks {
		w.complete(err)
	}
	close(f.done)
}

// capture has what the CRTC shows composed, if somebody looks. The caller
// holds vblank.mu, so that this is what the vblank shows, whatever is
// committed next. Without counted, only what has to be written back is of
// interest.
func (v *vblank) capture(now vblankTime, counted bool) {
	crc := v.crc
	if !counted {
		crc = nil
	}
	if crc == nil && len(v.writebacks) == 0 {
		return
	}
	writebacks := v.writebacks
	v.writebacks = nil
	s, state, err := v.m.scene(v.crtc)
	if err != nil {
		for _, w := range writebacks {
			w.complete(err)
		}
		return
	}
	f := &frame{
		state: state, scene: s, first: now.count, last: now.count,
		crc: crc, writebacks: writebacks, done: make(chan struct{}),
	}
	if crc != nil {
		f.first = v.shownSince(state, crc, now)
		v.captured = captured{state, crc, now.count}
	}
	v.composer.add(f)
}

// shownSince returns the first of the vblanks up to now that showed the state.
// It is an earlier one when the timer is late, which only a loaded machine
// makes it.
func (v *vblank) shownSince(state *State, crc *CRCStream, now vblankTime) uint64 {
	first := now.count
	switch c := &v.captured; {
	case c.crc != crc:
	case c.state == state:
		first = c.count + 1
	case v.current != nil && v.current.started:
		first = v.current.target
	}
	return min(first, now.count)
}

// captured is the last vblank for which a CRC was wanted.
type captured struct {
	state *State
	crc   *CRCStream
	count uint64
}
