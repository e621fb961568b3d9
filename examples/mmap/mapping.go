package main

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/devres"
	"github.com/udrm/udrm/srcu"
)

var errRevoked = errors.New("the mapping was revoked")

// A mapping is a file in memory that can be revoked at any moment, even while
// goroutines read it.
type mapping struct {
	bytes     []byte
	readers   *srcu.Domain
	resources devres.Set
}

// openMapping maps the file for reading. It calls released with the name of each
// resource that is released.
func openMapping(path string, released func(resource string)) (*mapping, error) {
	m := &mapping{readers: srcu.NewDomain()}
	m.resources.OnRelease = released
	if err := m.acquire(path); err != nil {
		return nil, errors.Join(err, m.resources.ReleaseAll())
	}
	return m, nil
}

// acquire registers each resource right after it has acquired it. So all of them
// are released, in the opposite order, even if a later step fails.
func (m *mapping) acquire(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	if _, err := m.resources.Add("file", func() { must(file.Close()) }); err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	m.bytes, err = unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	if _, err := m.resources.Add("pages", func() { must(unix.Munmap(m.bytes)) }); err != nil {
		return err
	}
	_, err = m.resources.Add("readers", func() {
		m.readers.Close()
		must(m.readers.Drain(context.Background()))
	})
	return err
}

// view calls f with the bytes of the file, which stay mapped until f returns.
func (m *mapping) view(f func(bytes []byte)) error {
	section, ok := m.readers.Enter()
	if !ok {
		return errRevoked
	}
	defer section.Exit()
	f(m.bytes)
	return nil
}

// viewUnguarded calls f without a section: revoke does not know about it.
func (m *mapping) viewUnguarded(f func(bytes []byte)) error {
	f(m.bytes)
	return nil
}

// revoke unmaps the file. After it returns, no goroutine reads the file.
func (m *mapping) revoke() error { return m.resources.ReleaseAll() }

func must(err error) {
	if err != nil {
		panic(err) // ReleaseAll turns it into an error
	}
}
