// Command host is the client that the tests of package host run: a static
// program that uses a device by system calls only and checks the results. Its
// first argument names the part to run. It exits with status 0, or prints the
// first failure and exits with status 1.
package main

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

var parts = map[string]func(args []string){
	"basic":       basic,
	"events":      events,
	"shortreads":  shortReads,
	"dup":         dup,
	"exec":        execParent,
	"inherited":   inherited,
	"pass":        pass,
	"received":    received,
	"reopen":      reopen,
	"map":         mapping,
	"mapstorm":    mapStorm,
	"faults":      faults,
	"unplug":      unplug,
	"wait":        wait,
	"crowd":       crowd,
	"signalled":   signalled,
	"closes":      closes,
	"closewait":   closeWait,
	"chdir":       chdir,
	"walk":        walk,
	"bench":       bench,
	"burst":       burst,
	"firsts":      firsts,
	"firstdmabuf": firstDMABuf,
	"bus":         busFiles,
	"control":     control,
	"opens":       opens,
	"nodeopens":   nodeOpens,
	"interrupted": interrupted,
	"hangup":      hangup,
	"hold":        hold,
	"holdopen":    holdOpen,
	"exit":        exit,
	"kill":        kill,
	"waitkill":    waitKill,
	"daemon":      daemon,
	"execstorm":   execStorm,
	"fences":      fences,
	"timelines":   timelines,
	"signaler":    signaler,
	"unload":      unload,
	"parameters":  coreParameters,
	"dmabuf":      dmaBuf,
	"dmabufchild": dmaBufChild,
	"memory":      memoryDevices,
	"dmabufstorm": dmaBufStorm,

	"spoof":        spoof,
	"chrooted":     chrooted,
	"landlocked":   landlocked,
	"ioctldev":     landlockedIoctl,
	"crossing":     crossing,
	"resolved":     resolved,
	"resolve":      resolve,
	"exchange":     exchange,
	"strayed":      strayed,
	"links":        links,
	"spy":          spy,
	"dropped":      dropped,
	"forge":        forge,
	"doctor":       examine,
	"doctorclient": doctorClient,
	"runasnobody":  runAsNobody,
	"answers":      answers,
	"filecalls":    fileCalls,
	"watchnodes":   watchNodes,
	"debugger":     debugger,
	"mappings":     mappings,
}

func main() {
	runtime.LockOSThread()
	part := parts[os.Args[1]]
	if part == nil {
		failf("no part %q", os.Args[1])
	}
	part(os.Args[2:])
}

func failf(format string, args ...any) {
	_, file, line, _ := runtime.Caller(1)
	fmt.Printf("host-client %v: %s:%d: %s\n", os.Args[1:], file, line, fmt.Sprintf(format, args...))
	os.Exit(1)
}

func must[T any](v T, err error) T {
	if err != nil {
		_, file, line, _ := runtime.Caller(1)
		fmt.Printf("host-client %v: %s:%d: %v\n", os.Args[1:], file, line, err)
		os.Exit(1)
	}
	return v
}

func check(err error) {
	if err != nil {
		_, file, line, _ := runtime.Caller(1)
		fmt.Printf("host-client %v: %s:%d: %v\n", os.Args[1:], file, line, err)
		os.Exit(1)
	}
}

// want checks that a call returned the given errno; 0 stands for success.
func want(got error, errno unix.Errno, what string) {
	if got != errno && !(got == nil && errno == 0) {
		_, file, line, _ := runtime.Caller(1)
		fmt.Printf("host-client %v: %s:%d: %s: got %v, want %v\n", os.Args[1:], file, line, what, got, errno)
		os.Exit(1)
	}
}

func equal[T comparable](got, want T, what string) {
	if got != want {
		_, file, line, _ := runtime.Caller(1)
		fmt.Printf("host-client %v: %s:%d: %s: got %v, want %v\n", os.Args[1:], file, line, what, got, want)
		os.Exit(1)
	}
}
