package trace_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/trace"
)

// find returns the record of a request that has succeeded, or failed; the last
// one if there are several.
func find(t *testing.T, records []trace.Record, request string, failed bool) trace.Record {
	t.Helper()
	for _, r := range slices.Backward(records) {
		if r.Request == request && (r.Errno != "") == failed {
			return r
		}
	}
	t.Fatalf("the trace has no %s, failed: %v", request, failed)
	return trace.Record{}
}

// TestNames checks that requests are decoded by name.
func TestNames(t *testing.T) {
	f := newFixture(t)
	f.session()
	records := f.records()
	for _, tc := range []struct {
		request string
		failed  bool
		in, out []string
	}{
		{"SET_CLIENT_CAP", false, []string{`"capability":"CLIENT_CAP_ATOMIC","value":1`}, nil},
		{"VERSION", false, nil, []string{`"version_major":1`, `"name":"vkms"`}},
		{"MODE_GETRESOURCES", false, nil, []string{`"crtc_id_ptr":[38]`, `"connector_id_ptr":[39]`, `"max_width":8192`}},
		{"MODE_GETCONNECTOR", false, nil, []string{`"modes_ptr":["1024x768@60",`, `"connector_type":"MODE_CONNECTOR_VIRTUAL"`, `"connection":"MODE_CONNECTED"`}},
		{"MODE_OBJ_GETPROPERTIES", false, []string{`"obj_type":"plane"`},
			[]string{`{"property":"type","value":"Primary"}`, `{"property":"SRC_W","value":1024}`, `{"property":"rotation","value":"rotate-0"}`, `{"property":"FB_ID","value":{"fb":41}}`}},
		{"MODE_GETPROPERTY", false, nil, []string{`"flags":"MODE_PROP_BITMASK"`, `"name":"rotation"`}},
		{"MODE_GETPROPERTY", true, []string{`"prop_id":9999`}, nil},
		{"MODE_ADDFB2", false, []string{`"pixel_format":"XRGB8888"`, `"handles":[1,0,0,0]`}, []string{`"fb_id":41`}},
		{"MODE_SETCRTC", false, []string{`"set_connectors_ptr":[39]`, `"flags":"MODE_FLAG_NHSYNC|MODE_FLAG_NVSYNC"`, `"name":"1024x768"`}, nil},
		{"MODE_PAGE_FLIP", false, []string{`"flags":"MODE_PAGE_FLIP_EVENT"`, `"user_data":"0x1234"`}, nil},
		{"MODE_RMFB", true, []string{`"fb_id":99`}, nil},
		{"MODE_CREATEPROPBLOB", false, []string{`"length":68,"mode":{"clock":65000,`}, []string{`"blob_id":43`}},
		{"MODE_ATOMIC", false, []string{
			`"flags":"MODE_ATOMIC_TEST_ONLY|MODE_ATOMIC_ALLOW_MODESET"`,
			`{"crtc":38,"property":"MODE_ID","value":{"blob":43,"mode":"1024x768@60"}}`, `{"crtc":38,"property":"ACTIVE","value":1}`,
			`{"plane":32,"property":"FB_ID","value":{"fb":41}}`, `{"plane":32,"property":"SRC_W","value":1024}`,
		}, nil},
	} {
		r := find(t, records, tc.request, tc.failed)
		for _, want := range tc.in {
			if !bytes.Contains(r.In, []byte(want)) {
				t.Errorf("%s: in %s, want %s", tc.request, r.In, want)
			}
		}
		for _, want := range tc.out {
			if !bytes.Contains(r.Out, []byte(want)) {
				t.Errorf("%s: out %s, want %s", tc.request, r.Out, want)
			}
		}
		if r.Card != "card0" || r.Node != "card0" || r.File != 1 || r.Comm != "drmtest" || r.Entered < r.Time || r.Guard <= 0 || r.Duration < r.Guard {
			t.Errorf("%s: %+v", tc.request, r)
		}
	}
	failed := find(t, records, "MODE_RMFB", true)
	if failed.Errno != "ENOENT" || !strings.Contains(failed.Error, "framebuffer") || !strings.Contains(failed.Error, "99") {
		t.Errorf("RMFB of framebuffer 99: %s, %q; want ENOENT and the reason", failed.Errno, failed.Error)
	}
	if i := slices.IndexFunc(records, func(r trace.Record) bool { return r.Type == "frame" }); i < 0 || records[i].CRTC != 38 {
		t.Error("the trace has no frame of CRTC 38")
	}
}

// TestUnplug checks how an unplug and requests after it are recorded.
func TestUnplug(t *testing.T) {
	f := newFixture(t)
	f.must(f.parent.Remove(t.Context()))
	_ = f.SetClientCap(uapi.ClientCapAtomic, 1)
	var types []string
	records := f.records()
	for _, r := range records {
		types = append(types, r.Type)
	}
	if want := []string{"registered", "open", "unplug", "drained", "unplugged", "ioctl"}; !slices.Equal(types, want) {
		t.Errorf("records %q, want %q", types, want)
	}
	r := find(t, records, "SET_CLIENT_CAP", true)
	if r.Errno != "ENODEV" || r.Entered != 0 || !bytes.Contains(r.In, []byte("CLIENT_CAP_ATOMIC")) {
		t.Errorf("a request after the unplug: %+v", r)
	}
}

// TestEvents checks that events for clients are decoded.
func TestEvents(t *testing.T) {
	f := newFixture(t)
	f.session()
	records := f.records()
	i := slices.IndexFunc(records, func(r trace.Record) bool { return r.Type == "event" })
	if i < 0 || records[i].Event != "EVENT_FLIP_COMPLETE" || !bytes.Contains(records[i].Data, []byte(`"user_data":"0x1234"`)) || records[i].File != 1 {
		t.Fatalf("no decoded event of the page flip:\n%s", &f.output)
	}
	i = slices.IndexFunc(records, func(r trace.Record) bool { return r.Type == "read" })
	if i < 0 || string(records[i].Out) != `{"bytes":32}` {
		t.Errorf("no read of 32 bytes:\n%s", &f.output)
	}
}

// TestSyncFile checks that requests on a sync file are decoded, although it
// belongs to no device.
func TestSyncFile(t *testing.T) {
	f := newFixture(t)
	fd, err := fence.Install(f.file, fence.NewContext("gpu", "render").New())
	f.must(err)
	defer drmtest.CloseFD(fd)
	send := func(cmd uint32, arg any) {
		data, err := binary.Append(nil, binary.NativeEndian, arg)
		f.must(err)
		_ = f.class.Ioctl(t.Context(), f.file.LookupFile(fd), f.file, cmd, f.file.Arena.Put(data))
	}
	send(uapi.SyncIOCFileInfo, &uapi.SyncFileInfo{NumFences: 4, SyncFenceInfo: drmtest.PutSlice(f.file.Arena, make([]uapi.SyncFenceInfo, 4))})
	send(uapi.SyncIOCMerge, &uapi.SyncMergeData{FD2: -1})
	records := f.records()
	info := find(t, records, "SYNC_IOC_FILE_INFO", false)
	if !bytes.Contains(info.Out, []byte(`"num_fences":1,"sync_fence_info":[{"obj_name":"render","driver_name":"gpu","status":0,`)) || info.Card != "" || info.PID == 0 {
		t.Errorf("SYNC_IOC_FILE_INFO: %+v\nin %s\nout %s", info, info.In, info.Out)
	}
	if merge := find(t, records, "SYNC_IOC_MERGE", true); merge.Errno != "ENOENT" || !bytes.Contains(merge.In, []byte(`"fd2":-1`)) {
		t.Errorf("SYNC_IOC_MERGE: %+v, in %s", merge, merge.In)
	}
}

// TestDiff compares two equal runs whose ids differ, and two that differ.
func TestDiff(t *testing.T) {
	run := func(before, after func(f *fixture)) []trace.Record {
		f := newFixture(t)
		if before != nil {
			before(f)
		}
		f.session()
		if after != nil {
			after(f)
		}
		return f.records()
	}
	compare := func(a, b []trace.Record) (int, string) {
		var out strings.Builder
		n, err := trace.Diff(&out, a, b)
		if err != nil {
			t.Fatal(err)
		}
		return n, out.String()
	}
	plain := run(nil, nil)
	if n, out := compare(plain, run(nil, nil)); n != 0 {
		t.Errorf("equal runs have %d differences:\n%s", n, out)
	}
	detour := run(func(f *fixture) { f.detachedBlob() }, nil)
	if n, out := compare(plain, detour); n != 0 {
		t.Errorf("equal runs with other ids have %d differences:\n%s", n, out)
	}
	n, out := compare(plain, run(nil, func(f *fixture) { _ = f.SetClientCap(uapi.ClientCapStereo3D, 1) }))
	if n != 1 || !strings.Contains(out, "+") || !strings.Contains(out, "CLIENT_CAP_STEREO_3D") {
		t.Errorf("a run with one more request: %d differences, want 1:\n%s", n, out)
	}
	n, out = compare(run(nil, func(f *fixture) { _ = f.RemoveFB(41) }), run(nil, func(f *fixture) { _ = f.RemoveFB(77) }))
	if n < 2 || !strings.Contains(out, "-") || !strings.Contains(out, "RMFB(fb_id=77) = ENOENT") {
		t.Errorf("runs that remove different framebuffers: %d differences, want 2 at least:\n%s", n, out)
	}
}

// detachedBlob takes an id that the session would get, from a client that is
// not traced.
func (f *fixture) detachedBlob() {
	f.t.Helper()
	f.detach()
	_, err := f.CreateBlob(make([]byte, 7))
	f.must(err)
	f.detach = f.class.Trace(f.recorder)
}

// TestPrinters checks that the other forms of a trace name what happened.
func TestPrinters(t *testing.T) {
	f := newFixture(t)
	f.session()
	f.must(f.parent.Remove(t.Context()))
	records := f.records()

	var chrome bytes.Buffer
	f.must(trace.Chrome(&chrome, records))
	var parsed struct {
		TraceEvents []struct {
			Name, Ph string
			PID, TID int
			Ts, Dur  float64
			Args     map[string]any
		}
	}
	f.must(json.Unmarshal(chrome.Bytes(), &parsed))
	names := map[string]bool{}
	for _, e := range parsed.TraceEvents {
		names[e.Ph+" "+e.Name] = true
		if strings.HasPrefix(e.Name, "vblank ") {
			names[e.Ph+" vblank"] = true
		}
		if e.Ph == "M" {
			names[e.Args["name"].(string)] = true
		}
	}
	for _, want := range []string{"X MODE_ATOMIC", "X guard", "X MODE_RMFB ENOENT", "X unplug", "X drain", "i vblank", "C open guards", "card0", "CRTC 38", "file 1"} {
		if !names[want] {
			t.Errorf("the Chrome trace has no %q", want)
		}
	}

	var show, stats, coverage strings.Builder
	f.must(trace.Show(&show, records))
	f.must(trace.Stats(&stats, records))
	f.must(trace.Cover(records).Print(&coverage))
	for _, tc := range []struct {
		what, text string
		want       []string
	}{
		{"show", show.String(), []string{
			"MODE_RMFB(fb_id=99) = ENOENT (", "SET_CLIENT_CAP(capability=CLIENT_CAP_ATOMIC, value=1) = 0 <", "-- unplug",
			"{plane=32, property=FB_ID, value={fb=41}}",
		}},
		{"stats", stats.String(), []string{" MODE_ATOMIC", "card0 CRTC 38: ", "card0: drained "}},
		{"coverage", coverage.String(), []string{"MODE_RMFB                    ENOENT:1", "  MODE_ID\n", "  XRGB8888\n", "requests not met", "  MODE_SETPLANE\n"}},
	} {
		for _, want := range tc.want {
			if !strings.Contains(tc.text, want) {
				t.Errorf("%s prints no %q:\n%s", tc.what, want, tc.text)
			}
		}
	}
}

// TestRead checks what Read accepts.
func TestRead(t *testing.T) {
	const header = `{"type":"trace","version":1,"start":"2026-01-01T00:00:00Z"}` + "\n"
	for _, tc := range []struct {
		text    string
		records int
		err     string
	}{
		{"", 0, "empty"},
		{"{}\n", 0, "not a trace"},
		{"root:x:0:0\nbin:x:1:1\n", 0, "not a trace"},
		{"[]\n", 0, "not a trace"},
		{"hello", 0, "not a trace"},
		{`{"type":"trace","version":99}` + "\n", 0, "version 99"},
		{header, 0, ""},
		{header + `{"type":"open","seq":2,"t":1}` + "\n" + `{"type":"close","seq":1,"t":1}` + "\n", 2, ""},
		{header + `{"type":"open"`, 0, ""}, // cut off
		{header + "nonsense\n", 0, "line 2 is not a record of a trace: the file is damaged"},
		{header + "null\n", 0, "line 2"},
		{header + `{"type":"open","seq":"2"}` + "\n", 0, "line 2 is not a record of a trace: the file is damaged"},
	} {
		records, err := trace.Read(strings.NewReader(tc.text))
		if len(records) != tc.records || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%q: %d records, %v; want %d, %q", tc.text, len(records), err, tc.records, tc.err)
		}
	}
}

// TestNoneLost sends more requests than the recorder queues, from several
// goroutines.
func TestNoneLost(t *testing.T) {
	f := newFixture(t)
	const clients, each = 4, 10_000
	var running sync.WaitGroup
	for range clients {
		file := drmtest.Open(t, f.driver.Device().Primary())
		running.Go(func() {
			for range each {
				_ = drmtest.Ioctl(file, uapi.IoctlGetCap, &uapi.GetCap{Capability: uapi.CapDumbBuffer})
			}
		})
	}
	running.Wait()
	n, seen := 0, map[uint64]bool{}
	for _, r := range f.records() {
		if r.Request == "GET_CAP" {
			n++
		}
		if seen[r.Seq] {
			t.Errorf("two records have the number %d", r.Seq)
		}
		seen[r.Seq] = true
	}
	if n != clients*each {
		t.Errorf("%d requests are recorded, want %d", n, clients*each)
	}
}

// TestFormat checks that the description that udrm help prints is all of it.
func TestFormat(t *testing.T) {
	text := trace.Format()
	for _, want := range []string{"A trace is a file of JSON objects", "\n    guard     microseconds", "\nValues\n", "sync files"} {
		if !strings.Contains(text, want) {
			t.Errorf("the description has no %q:\n%s", want, text)
		}
	}
}

// FuzzIoctl traces any request with any argument, in memory that is full of
// counts and addresses. The trace must stay readable and small.
func FuzzIoctl(f *testing.F) {
	for r := range uapi.Requests() {
		f.Add(r.Cmd, bytes.Repeat([]byte{1}, int(uapi.IOCSize(r.Cmd))))
	}
	f.Add(uint32(uapi.IoctlModeAtomic), bytes.Repeat([]byte{0xff, 0, 1}, 19))
	f.Fuzz(func(t *testing.T, cmd uint32, arg []byte) {
		fx := newFixture(t)
		if len(arg) > 256 {
			arg = arg[:256]
		}
		arg = append(arg, make([]byte, 256)...)
		// Numbers with a high byte 0xaa become addresses of memory with
		// the argument itself.
		memory := fx.file.Arena.Put(bytes.Repeat(arg, 8))
		for i := 7; i < len(arg); i += 8 {
			if arg[i] == 0xaa {
				binary.NativeEndian.PutUint64(arg[i-7:], memory)
			}
		}
		if cmd&0xffff == uapi.IoctlSyncobjEventfd&0xffff || cmd&0xffff == uapi.IoctlSyncobjWait&0xffff || cmd&0xffff == uapi.IoctlSyncobjTimelineWait&0xffff {
			return // these use descriptors of this process, or wait
		}
		addr := fx.file.Arena.Put(arg)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_ = fx.file.File.Ioctl(ctx, fx.file, cmd, addr)
		records := fx.records()
		if len(records) < 3 {
			t.Errorf("%d records, want the registration, the open and the request", len(records))
		}
		if fx.output.Len() > 1<<18 {
			t.Errorf("a trace of %d bytes for one request", fx.output.Len())
		}
	})
}

// BenchmarkIoctl measures a request without a trace and with one.
func BenchmarkIoctl(b *testing.B) {
	for _, on := range []bool{false, true} {
		name := map[bool]string{false: "off", true: "on"}[on]
		b.Run(name, func(b *testing.B) {
			f := newFixture(b)
			f.detach()
			recorder := trace.NewRecorder(io.Discard)
			if on {
				defer f.class.Trace(recorder)()
			}
			var arg = uapi.GetCap{Capability: uapi.CapDumbBuffer}
			b.ReportAllocs()
			for b.Loop() {
				if err := drmtest.Ioctl(f.file, uapi.IoctlGetCap, &arg); err != nil {
					b.Fatal(err)
				}
			}
			f.must(recorder.Close())
		})
	}
}

var _ drm.Tracer = (*trace.Recorder)(nil)

// TestHostileArrays records requests whose arrays cannot be read, overlap, or
// reach beyond the end of memory.
func TestHostileArrays(t *testing.T) {
	f := newFixture(t)
	f.must(f.SetClientCap(uapi.ClientCapAtomic, 1))
	numbers := drmtest.PutSlice(f.file.Arena, []uint32{1, 2, 3, 4})
	const end = ^uint64(0) - 3
	addresses := []uint64{0, 1, numbers, numbers + 4, numbers - together, end, end - 2}
	n := 0
	for _, objects := range addresses {
		for _, counts := range addresses {
			for _, count := range []uint32{1, 3, 1 << 20, ^uint32(0)} {
				arg := uapi.ModeAtomic{Flags: uapi.ModeAtomicTestOnly, CountObjs: count, ObjsPtr: objects, CountPropsPtr: counts, PropsPtr: objects, PropValuesPtr: counts}
				_ = drmtest.Ioctl(f.file, uapi.IoctlModeAtomic, &arg) // most fail
				n++
			}
		}
	}
	for _, r := range f.records() {
		if r.Request == "MODE_ATOMIC" {
			n--
		}
	}
	if n != 0 {
		t.Errorf("%d requests were not recorded", n)
	}
}

// together is the distance up to which arrays are read at once.
const together = 4096
