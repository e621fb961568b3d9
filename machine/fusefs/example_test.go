package fusefs_test

import (
	"fmt"
	"log"
	"os"
	"os/exec"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/machine/fusefs"
)

// The kernel itself lists the directory, which is a mount.
func Example() {
	class := drm.NewClass(drm.ClassOptions{})
	h, err := host.New(class, host.Options{FileServer: fusefs.Serve})
	if err != nil {
		log.Fatal(err) // without CAP_SYS_ADMIN
	}
	cmd := exec.Command("ls", "/sys/class/drm")
	cmd.Stdout = os.Stdout
	p, err := h.Start(cmd)
	if err != nil {
		log.Fatal(err)
	}
	status, err := p.Wait()
	fmt.Println(status, err)
	<-p.Done()
	if err := h.Close(); err != nil {
		log.Fatal(err)
	}
}
