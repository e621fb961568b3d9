// Command fbdev is an fbdev client: it checks what /dev/fb0 answers, and draws
// on it.
//
//	fbdev WIDTH HEIGHT [COMMAND ARG…]
//
// The upper half of the picture becomes red, by a mapping, and the lower half
// green, by writes. Then fbdev runs the command, which is to unplug the card, and
// checks that the device is gone.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Requests of linux/fb.h.
const (
	getVScreenInfo = 0x4600
	putVScreenInfo = 0x4601
	getFScreenInfo = 0x4602
	getCmap        = 0x4604
	putCmap        = 0x4605
	panDisplay     = 0x4606
	cursor         = 0xc0684608
	blank          = 0x4611
	getVBlank      = 0x80204612
	waitForVSync   = 0x40044620
)

// screen is struct fb_var_screeninfo.
type screen struct {
	xres, yres, xvirtual, yvirtual uint32

	_, yoffset uint32
	bits, _    uint32

	red, green, blue, transparent [3]uint32

	_, activate uint32
	_           [17]uint32
}

// fixed is struct fb_fix_screeninfo.
type fixed struct {
	id     [16]byte
	_      uint64
	length uint32
	_      [2]uint32
	visual uint32
	_      [4]uint16
	line   uint32
	_      [7]uint32
}

// cmap is struct fb_cmap.
type cmap struct {
	start, length    uint32
	red, green, blue *uint16
	_                uint64
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fbdev:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: fbdev WIDTH HEIGHT [COMMAND ARG…]")
	}
	width, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	height, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	f, err := os.OpenFile("/dev/fb0", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	fb := &client{fd: int(f.Fd())}
	for _, check := range []func(width, height uint32){fb.identity, fb.sysfs, fb.describe, fb.change, fb.pan, fb.blank, fb.colors, fb.others} {
		check(uint32(width), uint32(height))
	}
	if fb.err != nil {
		return fb.err
	}
	if err := draw(f, width*4, height); err != nil || len(args) == 2 {
		return err
	}
	if output, err := exec.Command(args[2], args[3:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", args[2], err, output)
	}
	fb.gone()
	return fb.err
}

// gone checks that the device is unplugged.
func (c *client) gone() {
	c.want("FBIOGET_VSCREENINFO", ioctl(c, getVScreenInfo, new(screen)), unix.ENODEV)
	_, err := unix.Open("/dev/fb0", unix.O_RDWR|unix.O_CLOEXEC, 0)
	c.want("open", err, unix.ENOENT)
	_, err = os.Stat("/sys/class/graphics/fb0")
	c.equal("there is a file in sysfs", err == nil, false)
}

// draw draws the picture.
func draw(f *os.File, line, height int) error {
	pixels, err := unix.Mmap(int(f.Fd()), 0, line*height, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	half := line * (height / 2)
	for i := 0; i < half; i += 4 {
		copy(pixels[i:], "\x00\x00\xff\x00")
	}
	green := strings.Repeat("\x00\xff\x00\x00", line/4)
	if _, err := f.Seek(int64(half), io.SeekStart); err != nil {
		return err
	}
	for range height - height/2 {
		if _, err := f.WriteString(green); err != nil {
			return err
		}
	}
	if _, err := f.WriteString(green); err == nil {
		return errors.New("a write beyond the end succeeded")
	}
	var read [4]byte
	if _, err := f.ReadAt(read[:], 0); err != nil || string(read[:]) != "\x00\x00\xff\x00" {
		return fmt.Errorf("the first pixel reads %q, %v", read, err)
	}
	if got := string(pixels[half : half+4]); got != "\x00\xff\x00\x00" {
		return fmt.Errorf("the mapping shows %q where green was written", got)
	}
	return unix.Munmap(pixels)
}

// A client makes requests and keeps the first failure.
type client struct {
	fd  int
	err error
}

// want notes a failure unless err is wanted.
func (c *client) want(what string, err, wanted error) {
	if err != wanted && c.err == nil {
		c.err = fmt.Errorf("%s: %v, want %v", what, err, wanted)
	}
}

// equal notes a failure unless got is wanted.
func (c *client) equal(what string, got, wanted any) {
	if got != wanted && c.err == nil {
		c.err = fmt.Errorf("%s: %v, want %v", what, got, wanted)
	}
}

// current returns the state of the screen.
func (c *client) current() (v screen) {
	c.want("FBIOGET_VSCREENINFO", ioctl(c, getVScreenInfo, &v), nil)
	return v
}

// identity checks what stat and /proc say of the device.
func (c *client) identity(uint32, uint32) {
	var st unix.Stat_t
	c.want("fstat", unix.Fstat(c.fd, &st), nil)
	c.equal("type", st.Mode&unix.S_IFMT, uint32(unix.S_IFCHR))
	c.equal("number", st.Rdev, unix.Mkdev(29, 0))
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", c.fd))
	c.want("readlink", err, nil)
	c.equal("path", path, "/dev/fb0")
}

// sysfs checks the files of the device in sysfs.
func (c *client) sysfs(width, height uint32) {
	for name, want := range map[string]string{
		"bits_per_pixel": "32\n", "name": "vkmsdrmfb\n", "dev": "29:0\n", "pan": "0,0\n", "rotate": "0\n", "state": "0\n",
		"stride": fmt.Sprintf("%d\n", 4*width), "virtual_size": fmt.Sprintf("%d,%d\n", width, height), "modes": fmt.Sprintf("U:%dx%dp-0\n", width, height),
		"uevent": "MAJOR=29\nMINOR=0\nDEVNAME=fb0\n",
	} {
		got, err := os.ReadFile("/sys/class/graphics/fb0/" + name)
		c.want(name, err, nil)
		c.equal(name, string(got), want)
	}
	_, err := os.Stat("/sys/dev/char/29:0/device/drm")
	c.want("the card of /sys/dev/char/29:0", err, nil)
	write := func(name, data string) error {
		err := os.WriteFile("/sys/class/graphics/fb0/"+name, []byte(data), 0)
		var path *os.PathError
		if errors.As(err, &path) {
			return path.Err
		}
		return err
	}
	c.want("virtual_size", write("virtual_size", fmt.Sprintf("%d,%d\n", width+1, height)), unix.EINVAL)
	c.want("bits_per_pixel", write("bits_per_pixel", "64\n"), unix.EINVAL)
	c.want("pan", write("pan", "0,1\n"), unix.EINVAL)
	c.want("mode", write("mode", "U:1x1p-0\n"), unix.EINVAL)
	mode := fmt.Sprintf("U:%dx%dp-0\n", width, height)
	c.want("mode", write("mode", mode), nil)
	got, _ := os.ReadFile("/sys/class/graphics/fb0/mode")
	c.equal("mode", string(got), mode)
}

// describe checks what the device says of itself.
func (c *client) describe(width, height uint32) {
	var f fixed
	c.want("FBIOGET_FSCREENINFO", ioctl(c, getFScreenInfo, &f), nil)
	c.equal("id", strings.TrimRight(string(f.id[:]), "\x00"), "vkmsdrmfb")
	c.equal("length of a line", f.line, 4*width)
	c.equal("length", f.length, 4*width*height)
	c.equal("visual", f.visual, uint32(2)) // true colour
	v := c.current()
	c.equal("size", [...]uint32{v.xres, v.yres, v.xvirtual, v.yvirtual, v.bits}, [...]uint32{width, height, width, height, 32})
	c.equal("format", [...]uint32{v.red[0], v.green[0], v.blue[0], v.transparent[1]}, [...]uint32{16, 8, 0, 0})
	c.want("a bad address", c.ioctlInt(getVScreenInfo, 1), unix.EFAULT)
}

// change checks FBIOPUT_VSCREENINFO.
func (c *client) change(width, _ uint32) {
	v := c.current()
	c.want("the same", ioctl(c, putVScreenInfo, &v), nil)
	v.xres = width + 1
	c.want("too wide", ioctl(c, putVScreenInfo, &v), unix.EINVAL)
	v = c.current()
	v.red, v.blue = v.blue, v.red
	c.want("another format", ioctl(c, putVScreenInfo, &v), unix.EINVAL)
	v = c.current()
	v.bits, v.yvirtual, v.activate = 16, 0, 128 // forced
	c.want("fewer bits", ioctl(c, putVScreenInfo, &v), nil)
	c.equal("bits are rounded up", v.bits, uint32(32))
	v.xres, v.activate = 64, 2 // a test
	c.want("a test", ioctl(c, putVScreenInfo, &v), nil)
	c.equal("width after a test", c.current().xres, width)
}

// pan checks FBIOPAN_DISPLAY.
func (c *client) pan(uint32, uint32) {
	v := c.current()
	c.want("pan to the start", ioctl(c, panDisplay, &v), nil)
	v.yoffset = 1
	c.want("pan beyond the end", ioctl(c, panDisplay, &v), unix.EINVAL)
}

// blank checks FBIOBLANK, and that no vblank is waited for meanwhile.
func (c *client) blank(uint32, uint32) {
	enabled := func() string {
		state, _ := os.ReadFile("/sys/class/drm/card0-Virtual-1/dpms")
		return strings.TrimSpace(string(state))
	}
	c.want("FBIOBLANK off", c.ioctlInt(blank, 4), nil)
	c.equal("dpms", enabled(), "Off")
	c.want("FBIO_WAITFORVSYNC while off", c.ioctlInt(waitForVSync, 0), nil)
	c.want("FBIOBLANK on", c.ioctlInt(blank, 0), nil)
	c.equal("dpms", enabled(), "On")
	c.want("FBIOBLANK 5", c.ioctlInt(blank, 5), unix.EINVAL)
	c.want("FBIO_WAITFORVSYNC", c.ioctlInt(waitForVSync, 0), nil)
}

// colors checks the colour map.
func (c *client) colors(uint32, uint32) {
	var red, green, blue [256]uint16
	m := cmap{length: 256, red: &red[0], green: &green[0], blue: &blue[0]}
	c.want("FBIOGETCMAP", ioctl(c, getCmap, &m), nil)
	c.equal("brown", [...]uint16{red[6], green[6], blue[6]}, [...]uint16{0xaaaa, 0x5555, 0})
	c.want("FBIOPUTCMAP of 256", ioctl(c, putCmap, &m), unix.EINVAL)
	m.start, m.length, red[0] = 15, 1, 0x1234
	c.want("FBIOPUTCMAP", ioctl(c, putCmap, &m), nil)
	red[0] = 0
	c.want("FBIOGETCMAP", ioctl(c, getCmap, &m), nil)
	c.equal("colour 15", red[0], uint16(0x1234))
	m.start = 256
	c.want("FBIOGETCMAP beyond the end", ioctl(c, getCmap, &m), unix.EINVAL)
}

// others checks what the device does not have.
func (c *client) others(uint32, uint32) {
	var buffer [128]byte
	c.want("FBIO_CURSOR", ioctl(c, cursor, &buffer), unix.EINVAL)
	c.want("FBIOGET_VBLANK", ioctl(c, getVBlank, &buffer), unix.ENOTTY)
	c.want("ftruncate", unix.Ftruncate(c.fd, 4096), unix.EPERM)
}
