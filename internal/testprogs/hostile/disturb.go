package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// virtualDirs are directories of virtual files.
var virtualDirs = []string{
	"/dev/dri", "/dev/dri/by-path", "/sys/class/drm", "/sys/class/drm/card0", "/sys/class/drm/card0/device",
	"/sys/bus/platform/drivers/vkms", "/sys/dev/char", "/run/udev/data",
}

// disturb kills processes in the midst of calls on virtual files, the given number of
// times.
func disturb(args []string) {
	const processes = 8
	var all [processes]*exec.Cmd
	for i := range must(strconv.Atoi(args[0])) {
		cmd := &all[i%processes]
		if *cmd != nil {
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
			check((*cmd).Process.Kill())
			_ = (*cmd).Wait()
		}
		*cmd = exec.Command("/proc/self/exe", "prod")
		check((*cmd).Start())
	}
	for _, cmd := range all {
		check(cmd.Process.Kill())
		_ = cmd.Wait()
	}
}

// prod makes calls on virtual files that no program makes, without an end. Whether
// they succeed does not matter.
func prod([]string) {
	long := strings.Repeat("a", unix.NAME_MAX)
	deep := strings.Repeat("a/", 2000)
	buf := make([]byte, 1<<16)
	for {
		dir := virtualDirs[rand.IntN(len(virtualDirs))]
		inDir := filepath.Join(dir, "x")
		switch rand.IntN(9) {
		case 0: // names
			_ = unix.Access(dir+"/"+long, unix.F_OK)
			_ = unix.Access(dir+"/"+deep, unix.F_OK)
			_ = unix.Mkdir(dir+"/"+long, 0o777)
		case 1: // descriptors that stay
			for range 50 {
				_, _ = open(dir, unix.O_RDONLY)
			}
		case 2: // listings
			if fd, err := open(dir, unix.O_RDONLY|unix.O_DIRECTORY); err == nil {
				for n := 1; n > 0; {
					n, _ = unix.Getdents(fd, buf[:64<<rand.IntN(10)])
				}
				_, _ = unix.Seek(fd, 1<<62, unix.SEEK_SET)
				_, _ = unix.Getdents(fd, buf)
				_ = unix.Close(fd)
			}
		case 3: // changes
			_ = unix.Rename("/dev/dri/card0", inDir)
			_ = unix.Link("/dev/dri/card0", inDir)
			_ = unix.Symlink("/etc", inDir)
			_ = unix.Mknod(inDir, unix.S_IFIFO|0o666, 0)
			_ = unix.Unlink("/dev/dri/card0")
			_ = unix.Rmdir(dir)
			_ = unix.Truncate(dir+"/dev", 1)
		case 4: // attributes
			_, _ = unix.Getxattr(dir, "user.x", buf)
			_ = unix.Setxattr(dir, "user.x", buf, 0)
			_, _ = unix.Listxattr(dir, buf)
			_ = unix.Removexattr(dir, "security.selinux")
		case 5: // maps
			if fd, err := open(dir+"/uevent", unix.O_RDONLY); err == nil {
				for _, flags := range []int{unix.MAP_SHARED, unix.MAP_PRIVATE} {
					if p, err := unix.Mmap(fd, 0, os.Getpagesize(), unix.PROT_READ, flags); err == nil {
						_ = unix.Mlock(p) // reads the page
						_ = unix.Munlock(p)
					}
				}
				_ = unix.Close(fd)
			}
		case 6: // reads at places
			if fd, err := open(dir+"/dev", unix.O_RDONLY); err == nil {
				_, _ = unix.Pread(fd, buf, rand.Int64())
				_, _ = unix.Pread(fd, buf[:1], 1)
				_ = unix.Close(fd)
			}
		case 7: // nodes
			fd, err := open("/dev/dri/card0", []int{unix.O_RDONLY, unix.O_RDWR, unix.O_PATH}[rand.IntN(3)])
			if err == nil && rand.IntN(2) == 0 {
				_ = unix.Close(fd)
			}
		case 8:
			use1()
		}
	}
}
