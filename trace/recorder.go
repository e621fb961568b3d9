package trace

import (
	"bufio"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A Recorder writes a trace of the devices of a class. It is a [drm.Tracer].
//
// The goroutine of a call only copies what the client passed. Another goroutine
// decodes and writes. No record is lost: when that goroutine falls behind by
// maxQueue records or maxQueueBytes, calls wait at their end.
type Recorder struct {
	start time.Time
	seq   atomic.Uint64

	files   sync.Map // *drm.File → *openFile
	fileSeq atomic.Uint64
	noFile  openFile  // of sync files and dma-bufs
	spare   sync.Pool // of *call: records that were written

	mu     sync.Mutex
	queue  []item
	bytes  int // of the queue
	closed bool
	wake   chan struct{} // holds a token when the queue has records
	urgent chan struct{} // holds a token when they should be written now
	room   *sync.Cond    // signalled when the queue is emptied

	done chan struct{}
	err  error // of writing; read after done
}

// An openFile is what is known of an open file. The client of each thread that
// uses it is looked up once, since that takes longer than most requests.
type openFile struct {
	number  uint64
	last    atomic.Pointer[thread]
	threads sync.Map     // id → *thread
	known   atomic.Int32 // about how many threads there are
}

// maxThreads bounds the threads that are known of a file. They are forgotten then, as
// most have ended when a program goes on to make new ones.
const maxThreads = 1024

type thread struct {
	id     int
	client drm.Client
}

// Limits on the records that wait to be written. A hostile client makes large
// ones.
const (
	maxQueue      = 1 << 14
	maxQueueBytes = 1 << 25
)

// batchTime is how long records wait to be written together. Waking the
// goroutine that writes for each record would cost more than the record.
const batchTime = 10 * time.Millisecond

// An item is a record before it is decoded.
type item interface {
	size() int // in memory, about
	encode(w *writer, e *encoder)
	release() // the item is used no more
}

// NewRecorder returns a recorder that writes JSON lines to output. Close ends
// the trace; it does not close output.
func NewRecorder(output io.Writer) *Recorder {
	r := &Recorder{start: time.Now(), wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1), done: make(chan struct{})}
	r.room = sync.NewCond(&r.mu)
	r.spare.New = func() any { return newCall(r) }
	layouts() // now, not in the first request
	go r.write(output)
	return r
}

// Close writes what is left of the trace and returns the first error of
// writing it. From then on the recorder ignores calls and events.
func (r *Recorder) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	poke(r.urgent)
	poke(r.wake)
	<-r.done
	return r.err
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// enqueue adds a record. If wait is set, it may wait for room.
func (r *Recorder) enqueue(i item, wait bool) {
	r.mu.Lock()
	for wait && r.full() && !r.closed {
		r.room.Wait()
	}
	if !r.closed {
		r.queue = append(r.queue, i)
		r.bytes += i.size()
	}
	first := len(r.queue) == 1
	urgent := len(r.queue) > maxQueue/2 || r.bytes > maxQueueBytes/2
	r.mu.Unlock()
	if urgent {
		poke(r.urgent)
	}
	if first {
		poke(r.wake)
	}
}

// full is called with mu held.
func (r *Recorder) full() bool { return len(r.queue) >= maxQueue || r.bytes >= maxQueueBytes }

// take returns all records that wait. closed reports that no more will come.
func (r *Recorder) take(spare []item) (items []item, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	items, r.queue, r.bytes = r.queue, spare[:0], 0
	r.room.Broadcast()
	return items, r.closed
}

func (r *Recorder) write(output io.Writer) {
	defer close(r.done)
	out := bufio.NewWriterSize(output, 1<<16)
	e := newEncoder(r)
	w := &writer{}
	e.header(w)
	_, _ = out.Write(w.b) // Flush returns its error
	w.b = w.b[:0]
	if err := out.Flush(); err != nil { // a reader sees that the trace has begun
		r.err = fmt.Errorf("trace: %w", err)
	}
	var items []item
	for closed := false; !closed; {
		<-r.wake
		select {
		case <-r.urgent:
		case <-time.After(batchTime):
		}
		items, closed = r.take(items)
		for _, i := range items {
			i.encode(w, e)
			i.release()
			w.b = append(w.b, '\n')
			if _, err := out.Write(w.b); err != nil && r.err == nil {
				r.err = fmt.Errorf("trace: %w", err)
			}
			w.b = w.b[:0]
		}
		clear(items)
		if err := out.Flush(); err != nil && r.err == nil {
			r.err = fmt.Errorf("trace: %w", err)
		}
	}
}

// A call is the record of a call. It is used again once it is written, since
// allocating it would cost as much as filling it.
type call struct {
	recorder *Recorder
	observe  func(drm.Point) // at
	source   *drm.Call       // until PointDone

	callRecord
}

type callRecord struct {
	seq        uint64
	op         drm.Op
	minor      *drm.Minor
	file       uint64
	client     drm.Client
	tid        int
	cmd        uint32
	argument   argument
	flags      int
	offset     uint64
	length     uint64
	n          int
	err        error
	begun, end time.Time
	entered    time.Time
	exited     time.Time
}

func newCall(r *Recorder) *call {
	c := &call{recorder: r}
	c.observe = c.at
	return c
}

// release implements item.
func (c *call) release() {
	kept := c.argument.memory.reset()
	c.callRecord = callRecord{}
	c.argument.memory = kept
	c.recorder.spare.Put(c)
}

func (c *call) size() int { return 512 + c.argument.memory.size() }

// Begin implements [drm.Tracer].
func (r *Recorder) Begin(c *drm.Call) func(drm.Point) {
	record := r.spare.Get().(*call)
	record.source, record.seq = c, r.seq.Add(1)
	record.op, record.minor, record.cmd, record.flags, record.offset, record.length = c.Op, c.Minor, c.Cmd, c.Flags, c.Offset, c.Length
	file := &r.noFile
	if c.File != nil {
		file = r.file(c.File)
		record.file = file.number
	}
	record.client, record.tid = file.client(c)
	if c.Op == drm.OpIoctl {
		record.argument.layout = layoutOf(c.Cmd)
		if c.Minor == nil {
			record.argument.fetch(c.Caller, c.Cmd, c.Addr)
		}
	}
	return record.observe
}

// at is called at each point that the call reaches.
func (record *call) at(p drm.Point) {
	c := record.source
	switch p {
	case drm.PointGuarded:
		if c.Argument != nil {
			record.argument.captureIn(c.Memory, c.Argument)
		}
	case drm.PointDone:
		if c.Argument != nil && uapi.IOCDir(c.Cmd)&uapi.IOCRead != 0 {
			record.argument.captureOut(c.Caller, c.Argument, c.Err != nil)
		}
		switch {
		case c.Op != drm.OpIoctl:
		case c.Minor == nil:
			record.argument.fetchOut(c.Caller, c.Cmd, c.Addr, c.Err != nil)
		case record.argument.in == nil:
			record.argument.fetch(c.Caller, c.Cmd, c.Addr)
		}
		if c.Op == drm.OpClose || c.Op == drm.OpOpen && c.Err != nil {
			record.recorder.files.Delete(c.File)
		}
		record.n, record.err = c.N, c.Err
		record.begun, record.entered, record.exited, record.end = c.Begun, c.Entered, c.Exited, time.Now()
		record.source = nil
		record.recorder.enqueue(record, true)
	}
}

// fetch reads the argument of a request that drm has not copied in: one that
// was refused before its handler, or is not on a device.
func (a *argument) fetch(m drm.Memory, cmd uint32, addr uint64) {
	if arg := a.readArgument(m, cmd, addr, uapi.IOCWrite); arg != nil {
		a.captureIn(m, arg)
	}
}

// fetchOut does the same for what the client got back.
func (a *argument) fetchOut(m drm.Memory, cmd uint32, addr uint64, failed bool) {
	if arg := a.readArgument(m, cmd, addr, uapi.IOCRead); arg != nil {
		a.captureOut(m, arg, failed)
	}
}

func (a *argument) readArgument(m drm.Memory, cmd uint32, addr uint64, direction uint32) []byte {
	size := uapi.IOCSize(cmd)
	if size == 0 || uapi.IOCDir(cmd)&direction == 0 {
		return nil
	}
	arg := a.memory.room(int(size))
	if m.CopyFromUser(arg, addr) != nil {
		return nil
	}
	return arg
}

func (r *Recorder) file(f *drm.File) *openFile {
	known, ok := r.files.Load(f)
	if !ok {
		known, _ = r.files.LoadOrStore(f, &openFile{number: r.fileSeq.Add(1)})
	}
	return known.(*openFile)
}

// client returns the process of a call, and its thread if it is known.
func (f *openFile) client(c *drm.Call) (client drm.Client, tid int) {
	caller, ok := c.Caller.(interface{ ThreadID() int })
	switch {
	case !ok && c.File != nil:
		return c.File.Client(), 0
	case !ok:
		return c.Caller.Client(), 0
	}
	tid = caller.ThreadID()
	if last := f.last.Load(); last != nil && last.id == tid {
		return last.client, tid
	}
	known, ok := f.threads.Load(tid)
	if !ok {
		if f.known.Add(1) > maxThreads {
			f.threads.Clear()
			f.known.Store(1)
		}
		known, _ = f.threads.LoadOrStore(tid, &thread{tid, c.Caller.Client()})
	}
	t := known.(*thread)
	f.last.Store(t)
	return t.client, tid
}

// An event is the record of an event on a device.
type event struct {
	seq uint64
	drm.TraceEvent
	file   uint64
	client drm.Client
}

func (v *event) size() int { return 256 }

func (v *event) release() {}

// Event implements [drm.Tracer].
func (r *Recorder) Event(e *drm.TraceEvent) {
	if e.Kind == drm.EventFlip { // EventFrame follows, unless it is lost
		return
	}
	record := &event{seq: r.seq.Add(1), TraceEvent: *e}
	record.Data = append([]byte(nil), e.Data...)
	if e.File != nil {
		record.file, record.client = r.file(e.File).number, e.File.Client()
	}
	r.enqueue(record, false)
}

func errnoName(err error) string {
	errno := drm.Errno(err)
	if errno == unix.EOPNOTSUPP {
		return "EOPNOTSUPP" // which has the same number as ENOTSUP
	}
	if name := unix.ErrnoName(errno); name != "" {
		return name
	}
	return fmt.Sprintf("errno %d", int(errno))
}
