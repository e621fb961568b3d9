package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/trace"
)

// maxTraces is how many traces clients can record at a time, in files and as
// streams.
const maxTraces = 16

// A TraceRequest names the file of a trace.
type TraceRequest struct {
	File string `json:"file"` // the whole path
}

// A StopTraceRequest names the file of a trace; without one, it means the only
// trace that is recorded into a file.
type StopTraceRequest struct {
	File string `json:"file,omitempty"`
}

// A Trace is a trace that is recorded, or was until now.
type Trace struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"` // written until now
}

// A fileTrace records a trace into a file. While the file is being opened, there is
// only the path.
type fileTrace struct {
	path     string
	file     *os.File
	recorder *trace.Recorder
	detach   func()
}

func (t *fileTrace) close() error {
	t.detach()
	return errors.Join(t.recorder.Close(), t.file.Close())
}

func (s *Server) startTrace(w http.ResponseWriter, r *http.Request) (any, error) {
	var request TraceRequest
	if err := decode(w, r, "trace start", &request); err != nil {
		return nil, err
	}
	asked := "trace start " + request.File
	if err := checkWriter(r, asked); err != nil {
		return nil, err
	}
	if !filepath.IsAbs(request.File) {
		return nil, &Error{Code: CodeBadRequest, Asked: asked, Reason: "the path of the file is relative, and the machine may be in another directory", Advice: "write the whole path"}
	}
	t := &fileTrace{path: filepath.Clean(request.File)}
	if err := s.addTrace(asked, t); err != nil {
		return nil, err
	}
	opened := make(chan error, 1)
	go func() { opened <- s.openTrace(t) }()
	var err error
	select {
	case err = <-opened:
	case <-r.Context().Done(): // the file system does not answer
		err = context.Cause(r.Context())
	}
	if err != nil {
		return nil, &Error{Code: CodeRefused, Asked: asked, Reason: err.Error()}
	}
	return Trace{File: t.path}, nil
}

// addTrace adds a trace whose file is to be opened.
func (s *Server) addTrace(asked string, t *fileTrace) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := func(reason, advice string) error {
		return &Error{Code: CodeRefused, Asked: asked, Reason: reason, Advice: advice}
	}
	switch {
	case slices.ContainsFunc(s.traces, func(other *fileTrace) bool { return other.path == t.path }):
		return refused("a trace is being written to this file", "stop it first")
	case len(s.traces)+s.streams >= maxTraces:
		return refused(fmt.Sprintf("%d traces are being recorded", maxTraces), "stop one of them")
	}
	s.traces = append(s.traces, t)
	return nil
}

// openTrace opens the file of a trace and begins to record. It may take as long as the
// file system of the file likes, so it holds no lock meanwhile.
func (s *Server) openTrace(t *fileTrace) error {
	file, err := createRegular(t.path)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.ended {
		err = errors.Join(errEnded, file.Close())
	}
	if err != nil {
		s.traces = slices.DeleteFunc(s.traces, func(other *fileTrace) bool { return other == t })
		return err
	}
	t.file, t.recorder = file, trace.NewRecorder(file)
	t.detach = s.machine.Class().Trace(t.recorder)
	return nil
}

// createRegular creates a file. It refuses what would make the writer wait,
// such as a pipe.
func createRegular(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|unix.O_NONBLOCK, 0o666)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err == nil {
		err = file.Truncate(0)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// stopTrace stops a trace. The file is complete when the answer comes.
func (s *Server) stopTrace(w http.ResponseWriter, r *http.Request) (any, error) {
	var request StopTraceRequest
	if err := decode(w, r, "trace stop", &request); err != nil {
		return nil, err
	}
	asked := strings.TrimSuffix("trace stop "+request.File, " ")
	t, err := s.takeTrace(asked, request.File)
	if err == nil {
		if closeErr := t.close(); closeErr != nil {
			err = &Error{Code: CodeRefused, Asked: asked, Reason: closeErr.Error()}
		}
	}
	if err != nil {
		return nil, err
	}
	answer := Trace{File: t.path}
	if info, err := os.Stat(t.path); err == nil {
		answer.Bytes = info.Size()
	}
	return answer, nil
}

// takeTrace removes the trace that is written to a file from the list, or the
// only one if file is "".
func (s *Server) takeTrace(asked, file string) (*fileTrace, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var paths []string
	var open []*fileTrace
	for _, t := range s.traces {
		if t.file != nil {
			paths, open = append(paths, t.path), append(open, t)
		}
	}
	i := 0
	if file != "" {
		i = slices.Index(paths, filepath.Clean(file))
	}
	recorded := "recorded are: " + strings.Join(paths, ", ")
	switch {
	case len(paths) == 0:
		return nil, &Error{Code: CodeNotFound, Asked: asked, Reason: "no trace is being recorded into a file"}
	case i < 0:
		return nil, &Error{Code: CodeNotFound, Asked: asked, Reason: "no trace is being written to this file", Advice: recorded}
	case file == "" && len(paths) > 1:
		return nil, &Error{Code: CodeRefused, Asked: asked, Reason: fmt.Sprintf("%d traces are being recorded; name one of them", len(paths)), Advice: recorded}
	}
	t := open[i]
	s.traces = slices.DeleteFunc(s.traces, func(other *fileTrace) bool { return other == t })
	return t, nil
}

// streamTrace sends a trace until the client goes away or the machine ends.
//
// The recorder never waits for the client: what the client has not read yet is
// in a spool. A client that falls too far behind loses the connection before the
// end of the answer, so that it cannot take the trace for a complete one.
func (s *Server) streamTrace(w http.ResponseWriter, r *http.Request) (any, error) {
	s.mu.Lock()
	full := len(s.traces)+s.streams >= maxTraces
	if !full {
		s.streams++
	}
	s.mu.Unlock()
	if full {
		return nil, &Error{Code: CodeRefused, Asked: "trace", Reason: fmt.Sprintf("%d traces are being recorded", maxTraces), Advice: "stop one of them"}
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.streams--
	}()
	out := newSpool()
	recorder := trace.NewRecorder(out)
	detach := s.machine.Class().Trace(recorder)
	sent := make(chan struct{})
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		select {
		case <-r.Context().Done():
		case <-sent: // in vain
		}
		detach()
		_ = recorder.Close() // the spool has its error
		out.end()
	}()
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/jsonl")
	err := control.Flush() // the client knows that the trace has begun
	for err == nil {
		var data []byte
		if data, err = out.take(); err != nil || data == nil {
			break
		}
		_ = control.SetWriteDeadline(time.Now().Add(ioTimeout))
		if _, err = w.Write(data); err == nil {
			err = control.Flush()
		}
	}
	close(sent)
	<-recorded
	if err != nil {
		s.log.Debug(fmt.Sprintf("control: trace: %v", err))
		panic(http.ErrAbortHandler)
	}
	return answered{}, nil
}

// answered is the result of a route that has written its answer.
type answered struct{}
