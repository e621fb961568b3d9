package conformance

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// attr returns a file of an object of the class.
func (s *inProcess) attr(object, name string) (drm.Attr, error) {
	for _, k := range s.class.Kobjects() {
		if k.Name != object || k.Class != "" {
			continue
		}
		for _, a := range k.Attrs {
			if a.Name == name {
				return a, nil
			}
		}
	}
	return drm.Attr{}, unix.ENOENT
}

func (s *inProcess) ReadAttr(object, attr string) (string, error) {
	a, err := s.attr(object, attr)
	if err != nil {
		return "", err
	}
	return a.Show(), nil
}

func (s *inProcess) WriteAttr(object, attr, data string) error {
	a, err := s.attr(object, attr)
	if err == nil && a.Store == nil {
		err = unix.EACCES
	}
	if err != nil {
		return err
	}
	return withErrno(a.Store(data))
}

func (s *inProcess) WriteDebugfs(node, path, data string) error {
	for _, m := range s.class.Minors() {
		if m.Name() != node {
			continue
		}
		for _, file := range m.Device().DebugfsFiles() {
			if file.Path == path && file.Store != nil {
				return withErrno(file.Store(data))
			}
		}
	}
	return unix.ENOENT
}

func (s *inProcess) Listen() (Listener, error) {
	l := &subscription{events: make(chan map[string]string, 1024)}
	l.cancel = s.class.Subscribe(l.hear)
	return l, nil
}

// A subscription holds the uevents of a class.
type subscription struct {
	events chan map[string]string
	cancel func()
}

// hear keeps an event; it drops what has no room, as the kernel does.
func (l *subscription) hear(e drm.Uevent) {
	if e.Kobject.Class != "" {
		return
	}
	keys := keysOf(e.Env)
	keys["ACTION"], keys["SUBSYSTEM"], keys["DEVTYPE"] = e.Action, "drm", e.Kobject.DevType
	keys["DEVPATH"] = "/class/drm/" + e.Kobject.Name
	if e.Kobject.Minor != nil {
		keys["DEVNAME"] = strings.TrimPrefix(nodeDir, "/dev/") + e.Kobject.Name
	}
	select {
	case l.events <- keys:
	default:
	}
}

func (l *subscription) Next(timeout time.Duration) (map[string]string, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case keys := <-l.events:
		return keys, nil
	case <-timer.C:
		return nil, nil
	}
}

func (l *subscription) Close() error {
	l.cancel()
	return nil
}
