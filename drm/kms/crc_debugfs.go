package kms

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// crcFiles returns crtc-N/crc/control and crtc-N/crc/data. Test programs use
// them to compare pictures.
func (c *CRTC) crcFiles(device *drm.Device) []drm.DebugfsFile {
	dir := fmt.Sprintf("crtc-%d/crc/", c.index)
	return []drm.DebugfsFile{
		{Path: dir + "control", Show: c.CRCControl, Store: c.storeCRCControl},
		{Path: dir + "data", Open: func(sink drm.EventSink) (io.Closer, error) { return c.openCRCData(device, sink) }},
	}
}

// storeCRCControl remembers a bad source, because the writer may not have been
// told.
func (c *CRTC) storeCRCControl(data string) error {
	err := c.SetCRCControl([]byte(data))
	c.badCRCSource.Store(errors.Is(err, unix.EINVAL))
	return err
}

// openCRCData sends each CRC to sink until it is closed.
func (c *CRTC) openCRCData(device *drm.Device, sink drm.EventSink) (io.Closer, error) {
	if c.badCRCSource.Load() {
		return nil, invalid("CRCs of CRTC %d: the chosen source does not exist", c.id)
	}
	var s *CRCStream
	err := device.WithGuard(func(dev *drm.RegisteredDevice) (err error) {
		s, err = c.OpenCRC(dev)
		return err
	})
	if err != nil {
		return nil, err
	}
	f := &crcFile{s, make(chan struct{})}
	go f.run(sink)
	return f, nil
}

// A crcFile is an open file crc/data.
type crcFile struct {
	stream *CRCStream
	ended  chan struct{}
}

// Close implements [io.Closer]. Nothing is delivered after it returns.
func (f *crcFile) Close() error {
	f.stream.Close()
	<-f.ended
	return nil
}

func (f *crcFile) run(sink drm.EventSink) {
	defer close(f.ended)
	for {
		crc, err := f.stream.Next(context.Background())
		if errors.Is(err, unix.ENODEV) {
			sink.HangUp()
		}
		if err != nil {
			return
		}
		_ = sink.Deliver(crc.Line()) // CRCs that do not fit are lost
	}
}
