package uapi

import (
	"fmt"
	"strings"
	"testing"
)

func ExampleIoctlName() {
	fmt.Println(IoctlName(IoctlModeGetResources))
	fmt.Println(IoctlName(IoctlModeGetResources | 0x3fff0000)) // a client with a longer struct
	fmt.Printf("%q\n", IoctlName(IO(CommandBase)))             // a driver's own request
	// Output:
	// MODE_GETRESOURCES
	// MODE_GETRESOURCES
	// ""
}

func TestIoctlName(t *testing.T) {
	for _, r := range ioctlTable {
		want := strings.TrimPrefix(r.c, "DRM_IOCTL_")
		if strings.HasPrefix(r.c, "DMA_BUF_SET_NAME_") {
			want = "DMA_BUF_SET_NAME" // three sizes of one request
		}
		for _, cmd := range []uint32{r.cmd, r.cmd & iocTypeNrMask, r.cmd | ^uint32(iocTypeNrMask)} {
			if got := IoctlName(cmd); got != want {
				t.Errorf("IoctlName(%#x) = %q, want %q", cmd, got, want)
			}
		}
	}

	known := map[uint32]bool{}
	for _, r := range ioctlTable {
		known[r.cmd&iocTypeNrMask] = true
	}
	for cmd := range uint32(iocTypeNrMask + 1) {
		if got := IoctlName(cmd); (got != "") != known[cmd] {
			t.Errorf("IoctlName(%#x) = %q, but it is in the headers: %v", cmd, got, known[cmd])
		}
	}
}

func TestRequestNumbers(t *testing.T) {
	owner := map[uint32]string{}
	for _, r := range ioctlTable {
		key := r.cmd & iocTypeNrMask
		if other := owner[key]; other != "" && !strings.HasPrefix(r.c, other) {
			t.Errorf("%s and %s have one number", other, r.c)
		} else if other == "" {
			owner[key] = r.c
		}

		for _, typ := range r.types {
			if got, want := IOCSize(r.cmd), uint32(typ.Size()); got != want {
				t.Errorf("%s says %d bytes, %v has %d", r.c, got, typ, want)
			}
		}
		if none := IOCDir(r.cmd) == IOCNone; none != (IOCSize(r.cmd) == 0) {
			t.Errorf("%s has direction %d and size %d", r.c, IOCDir(r.cmd), IOCSize(r.cmd))
		} else if none && len(r.types) > 0 {
			t.Errorf("%s has no argument, but the type %v", r.c, r.types)
		}

		if IOCType(r.cmd) != IoctlBase {
			continue
		}
		if nr := IOCNr(r.cmd); nr >= CommandBase && nr < CommandEnd {
			t.Errorf("%s is among the drivers' own requests", r.c)
		}
		make := map[uint32]func(nr, size uint32) uint32{
			IOCNone:            func(nr, _ uint32) uint32 { return IO(nr) },
			IOCRead:            IOR,
			IOCWrite:           IOW,
			IOCRead | IOCWrite: IOWR,
		}[IOCDir(r.cmd)]
		if got := make(IOCNr(r.cmd), IOCSize(r.cmd)); got != r.cmd {
			t.Errorf("%s taken apart and put together is %#x, want %#x", r.c, got, r.cmd)
		}
	}
}

// Every request that kernels still serve must have a struct here. Only those of
// removed drivers may lack one.
func TestArgumentsDeclared(t *testing.T) {
	removed := map[string]bool{}
	for _, name := range strings.Fields(`
		IRQ_BUSID GET_MAP MODESET_CTL BLOCK UNBLOCK CONTROL
		ADD_MAP ADD_BUFS MARK_BUFS INFO_BUFS MAP_BUFS FREE_BUFS RM_MAP SET_SAREA_CTX GET_SAREA_CTX
		ADD_CTX RM_CTX MOD_CTX GET_CTX SWITCH_CTX NEW_CTX RES_CTX ADD_DRAW RM_DRAW UPDATE_DRAW
		DMA LOCK UNLOCK FINISH
		AGP_ENABLE AGP_INFO AGP_ALLOC AGP_FREE AGP_BIND AGP_UNBIND SG_ALLOC SG_FREE`) {
		removed[name] = true
	}
	for _, r := range ioctlTable {
		name := IoctlName(r.cmd)
		if IOCSize(r.cmd) > 0 && (len(r.types) == 0) != removed[name] {
			t.Errorf("%s has argument types %v, left out on purpose: %v", r.c, r.types, removed[name])
		}
	}
}
