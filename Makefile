# make test   everything that CI checks; installs what is missing when it may
# make vet    the static checks alone
# make bench  the benchmarks, with their references, in one run
# make compositors   sway and Xorg, unplugged beneath them; installs 300 MB

GO ?= go
# The other one of the two latest Go versions, see go.mod for the first.
OTHER_GO ?= go1.27.4
# Debian packages that the tests use, each with a file that tells it is there.
PACKAGES = libdrm-tests:/usr/bin/modetest drm-info:/usr/bin/drm_info \
	libdrm-dev:/usr/include/libdrm/drm.h gcc:/usr/bin/gcc spin:/usr/bin/spin \
	util-linux:/usr/bin/setpriv udev:/usr/bin/udevadm edid-decode:/usr/bin/edid-decode \
	intel-gpu-tools:/usr/bin/lsgpu python3-pytest:/usr/bin/pytest-3 meson:/usr/bin/meson

COMPOSITORS = sway:/usr/bin/sway swaybg:/usr/bin/swaybg seatd:/usr/sbin/seatd \
	xserver-xorg-core:/usr/bin/Xorg x11-xserver-utils:/usr/bin/xsetroot

.PHONY: test deps vet build unit race other-go bench compositors

test: deps vet build unit race other-go

deps:
	@missing=; for p in $(PACKAGES); do [ -e "$${p#*:}" ] || missing="$$missing $${p%%:*}"; done; \
	if [ -n "$$missing" ]; then \
		echo "installing:$$missing"; \
		if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq $$missing >/dev/null; \
		else echo "not root: please run: apt-get install$$missing" >&2; exit 1; fi; \
	fi

vet:
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not gofmt'ed: $$unformatted" >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags compositors ./cmd/udrm
	$(GO) build -o bin/guardcheck ./cmd/guardcheck
	$(GO) vet -vettool=bin/guardcheck ./...

build:
	CGO_ENABLED=0 $(GO) build ./...

unit:
	CGO_ENABLED=0 $(GO) test ./...
	CGO_ENABLED=0 $(GO) test -tags srcu_membarrier -skip 'Model|Mutant' ./srcu ./drm
	CGO_ENABLED=0 $(GO) test -tags srcu_procpin -skip 'Model|Mutant' ./srcu

race:
	CGO_ENABLED=1 $(GO) test -race ./...

other-go:
	CGO_ENABLED=0 GOTOOLCHAIN=$(OTHER_GO) $(GO) vet ./...

bench:
	$(GO) run ./internal/bench -o bin/bench.txt
	$(GO) test -tags srcu_membarrier -run '^$$' -bench Pair ./srcu

compositors:
	@$(MAKE) --no-print-directory deps PACKAGES="$(COMPOSITORS)"
	$(GO) test -count=1 -tags compositors -run 'Sway|Xorg' ./cmd/udrm
