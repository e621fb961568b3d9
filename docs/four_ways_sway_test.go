//go:build compositors

package docs

import (
	"image/color"
	"os"
	"path/filepath"
	"testing"
)

// swayScript starts a sway on each card. It ends when that of card1 has ended,
// with its status. sway shows the gray that it shows by itself, and whenever
// another swaybg starts or ends, a frame of it.
const swayScript = `#!/bin/sh
export SEATD_VTBOUND=0 LIBSEAT_BACKEND=builtin WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=pixman
start() {
	export XDG_RUNTIME_DIR=$dir HOME=$dir WLR_DRM_DEVICES=$1
	exec setpriv --reuid 65534 --regid 65534 --clear-groups sway -c "$dir/config"
}
configure() {
	dir=$(mktemp -d)
	cat >"$dir/config" <<END
output * bg #3f3f3f solid_color
exec touch $dir/ready
exec sh -c 'while timeout .1 swaybg -c "#3f3f3f"; test \$? = 124; do :; done'
END
	chown -R 65534:65534 "$dir"
}
configure
start /dev/dri/card0 & card0=$!
until [ -e "$dir/ready" ]; do kill -0 $card0 || exit; sleep .01; done
configure
start /dev/dri/card1 & card1=$!
trap 'kill $card1' TERM
wait $card1
status=$?
if kill -0 $card1 2>/dev/null; then # it was the signal that ended the wait
	wait $card1
	status=$?
fi
kill $card0
wait $card0
exit $status
`

// TestSwayFourWays is TestFourWays with sway on each card.
func TestSwayFourWays(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("sway must not be root, and the test changes the user: run this test as root")
	}
	tmp, err := os.MkdirTemp("", "udrm-sway-") // for that user to enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	if err := os.Chmod(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, bin := workplace(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "your-compositor"), []byte(swayScript), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)
	fourWays(t, dir, bin, golden(func(int, int) color.NRGBA { return color.NRGBA{R: 0x3f, G: 0x3f, B: 0x3f, A: 255} }), "")
}
