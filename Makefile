# make test          everything that CI checks, step by step; about 20 minutes on two cores
# make deps          install the Debian packages that the tests use, as root
# make build         compile everything, without cgo
# make vet           static checks: vet, guardcheck, staticcheck, imports, links, prose
# make generated     check that go generate changes nothing
# make unit          the tests, without cgo
# make mounts        those of the host with the virtual files in mounts
# make tags          the tests of srcu with its build tags
# make race          the tests under the race detector, with the other Go version
# make fuzz          fuzz each target for FUZZTIME, beginning with its stored corpus,
#                    and the host with random system calls
# make bench         the benchmarks, each beside its reference; seven minutes
# make compositors   sway, weston, Xorg and kmscube, unplugged while they run, and the
#                    other desktops of docs/programs.md; installs 900 MB
# make distros       the desktops of docs/programs.md in a root of each Debian release of
#                    DISTROS, which debootstrap makes in ROOTS and which stays: 2 GB each
# make browser       the page of udrm view in Chromium; installs 500 MB

SHELL = /bin/bash
GO ?= go
# The other of the two latest Go versions; go.mod has the first.
OTHER_GO ?= go1.27.4
# How long make fuzz runs each target.
FUZZTIME ?= 30s
# Tools that are not part of the module's own dependencies.
TOOL = $(GO) tool -modfile=tools/go.mod
# Debian packages that the tests use, each with a file that tells it is there.
PACKAGES = libdrm-tests:/usr/bin/modetest drm-info:/usr/bin/drm_info \
	libdrm-dev:/usr/include/libdrm/drm.h gcc:/usr/bin/gcc spin:/usr/bin/spin \
	util-linux:/usr/bin/setpriv udev:/usr/bin/udevadm curl:/usr/bin/curl edid-decode:/usr/bin/edid-decode \
	intel-gpu-tools:/usr/bin/lsgpu python3-pytest:/usr/bin/pytest-3 meson:/usr/bin/meson

COMPOSITORS = weston:/usr/bin/weston sway:/usr/bin/sway swaybg:/usr/bin/swaybg seatd:/usr/sbin/seatd kmscube:/usr/bin/kmscube \
	xserver-xorg-core:/usr/bin/Xorg x11-xserver-utils:/usr/bin/xsetroot \
	cage:/usr/bin/cage phoc:/usr/bin/phoc mutter:/usr/bin/mutter gnome-shell:/usr/bin/gnome-shell \
	kwin-wayland:/usr/bin/kwin_wayland kmscon:/usr/bin/kmscon mpv:/usr/bin/mpv dbus:/usr/bin/dbus-run-session

BROWSER = chromium:/usr/bin/chromium sway:/usr/bin/sway swaybg:/usr/bin/swaybg

# Releases that make distros tests, and where it keeps and gets them. A root is made
# once; to renew it, remove its directory.
DISTROS ?= trixie sid
ROOTS ?= bin/_roots
MIRROR ?= http://deb.debian.org/debian
# Debian 13 has no kmscon.
IN_ROOTS = $(filter-out kmscon:%,$(COMPOSITORS))

.PHONY: test deps build vet generated unit mounts tags race fuzz bench compositors distros browser

# Cheap steps come first, so that failures come early. What a step does is said
# in the list at the top of this file.
test:
	@for step in deps build vet generated unit mounts tags race; do \
		echo "== make $$step: $$(sed -n "s/^# make $$step  *//p" Makefile)"; start=$$SECONDS; \
		$(MAKE) --no-print-directory -s $$step || exit; \
		echo "== $$step took $$((SECONDS - start)) s"; \
	done; echo "== all of it took $$SECONDS s"

deps:
	@missing=; for p in $(PACKAGES); do [ -e "$${p#*:}" ] || missing="$$missing $${p%%:*}"; done; \
	if [ -n "$$missing" ]; then \
		echo "installing:$$missing"; \
		if [ "$$(id -u)" = 0 ]; then \
			export DEBIAN_FRONTEND=noninteractive; \
			apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
		else echo "not root: please run: apt-get install$$missing" >&2; exit 1; fi; \
	fi

build:
	CGO_ENABLED=0 $(GO) build ./...

vet:
	@unformatted=$$(git ls-files '*.go' | grep -v /testdata/ | xargs $(TOOL) goimports -l); \
		if [ -n "$$unformatted" ]; then echo "run goimports -w on:" $$unformatted >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags compositors ./cmd/udrm ./docs
	$(GO) vet -tags browser ./view
	GOARCH=arm64 $(GO) vet ./...
	$(GO) build -o bin/guardcheck ./cmd/guardcheck
	$(GO) vet -vettool=bin/guardcheck ./...
	$(TOOL) staticcheck ./...
	$(GO) run ./internal/linkcheck
	$(GO) run ./internal/prosecheck
	$(GO) test -count=1 -run TestOneWayToFiles ./host/internal/thread

generated:
	@sum() { git ls-files -z --cached --others --exclude-standard | xargs -0 sha256sum 2>/dev/null; }; \
		before=$$(sum); $(GO) generate ./... || exit; after=$$(sum); \
		if [ "$$before" != "$$after" ]; then \
			echo "go generate has changed these files; commit them:" >&2; \
			diff <(echo "$$before") <(echo "$$after") | sed -n 's/^> [0-9a-f]*  //p' >&2; exit 1; fi

# The packages with the longest tests come first, so that none runs alone at the
# end.
PACKAGES_IN_ORDER = ./srcu ./cmd/... ./host ./...

unit:
	CGO_ENABLED=0 $(GO) test -timeout 30m $(PACKAGES_IN_ORDER) | grep -v '\[no test files\]'; exit $${PIPESTATUS[0]}

mounts:
	UDRM_FILES=mounts CGO_ENABLED=0 $(GO) test -timeout 30m ./host

tags:
	CGO_ENABLED=0 $(GO) test -tags srcu_membarrier -skip 'Model|Mutant' ./srcu ./drm
	CGO_ENABLED=0 $(GO) test -tags srcu_procpin -skip 'Model|Mutant' ./srcu

# Mutants and models are compiled and checked without the detector. The tests of docs
# and guardcheck run other programs only, which are built without it.
race:
	CGO_ENABLED=1 GOTOOLCHAIN=$(OTHER_GO) $(GO) test -race -timeout 30m -skip 'Model|Mutant' ./srcu ./cmd/udrm ./host \
		$$($(GO) list ./... | grep -v '/docs$$\|guardcheck') | grep -v '\[no test files\]'; exit $${PIPESTATUS[0]}

# Minimizing is cut short: it would leave no time to fuzz. At the end of its time, the
# fuzzer can fail with "context deadline exceeded" alone, on a busy machine mostly. That
# is no failure of the target: those come with a failing input, which is stored.
fuzz:
	@mkdir -p bin; for file in $$(git grep -l '^func Fuzz' -- '*_test.go'); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$file); do \
			echo "== $$target in $$(dirname $$file)"; \
			run() { $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$$(dirname $$file) 2>&1 | tee bin/fuzz.txt; return $${PIPESTATUS[0]}; }; \
			out_of_time() { grep -q '^ *context deadline exceeded$$' bin/fuzz.txt && ! grep -q 'Failing input\|panic:\|hung' bin/fuzz.txt; }; \
			run || out_of_time || exit 1; \
		done; \
	done
	$(GO) test -count=1 -v -timeout 0 -run '^TestSequences$$' ./host -args -sequences $(FUZZTIME)

bench:
	$(GO) run ./internal/bench -o bin/bench.txt
	$(GO) test -tags srcu_membarrier -run '^$$' -bench Pair ./srcu
	$(GO) test -run '^$$' -bench 'Message|Call' -benchtime 1x ./host
	$(GO) test -run '^$$' -bench 'Programs|Wall' -benchtime 1x ./cmd/udrm
	$(GO) test -run '^$$' -bench Neighbour -benchtime 1x ./host
	$(GO) test -run '^$$' -bench Requests -benchtime 20000x ./trace
	$(GO) test -run '^$$' -bench Stream -benchtime 1x ./view

compositors:
	@$(MAKE) --no-print-directory deps PACKAGES="$(COMPOSITORS)"
	$(GO) test -count=1 -p 1 -tags compositors -run 'Sway|Weston|Xorg|Kmscube|Desktops' ./cmd/udrm ./docs

# A root sees the repository, Go and its caches in their places, and the /dev and /sys
# of the machine. Processes and mounts end with the tests.
distros:
	@fail() { echo "make distros: $$*" >&2; exit 1; }; \
	[ "$$(id -u)" = 0 ] || fail "debootstrap and chroot need root"; \
	[ -x /usr/sbin/debootstrap ] || fail "debootstrap is missing: apt-get install debootstrap"; \
	failed=; for release in $(DISTROS); do \
		root=$$(realpath -m $(ROOTS))/$$release; \
		if [ ! -e $$root ]; then \
			echo "== making $$root"; rm -rf $$root.part; mkdir -p $$root.part; \
			/usr/sbin/debootstrap --variant=minbase --include=make $$release $$root.part $(MIRROR) >$$root.log 2>&1 || \
				fail "debootstrap failed, see $$root.log; is $(MIRROR) (MIRROR) reachable?: $$(tail -1 $$root.log)"; \
			echo force-unsafe-io >$$root.part/etc/dpkg/dpkg.cfg.d/unsafe-io; \
			mv $$root.part $$root || exit; \
		fi; \
		echo "== testing the desktops in $$root, Debian $$(cat $$root/etc/debian_version)"; \
		unshare --mount --pid --fork --kill-child env -i TERM=dumb HOME=/root GOFLAGS=-buildvcs=false GOTOOLCHAIN=local CGO_ENABLED=0 \
			PATH="$$($(GO) env GOROOT)/bin:/usr/sbin:/usr/bin:/sbin:/bin" GOCACHE="$$($(GO) env GOCACHE)" GOMODCACHE="$$($(GO) env GOMODCACHE)" \
			bash -ec 'for dir in "$$PWD" "$${PATH%%/bin:*}" "$$GOCACHE" "$$GOMODCACHE" /dev /sys; do mkdir -p "$$0$$dir"; mount --rbind "$$dir" "$$0$$dir"; done; \
				mount -t proc proc $$0/proc; exec chroot $$0 sh -ec "cd $$PWD; make --no-print-directory deps PACKAGES=\"$(IN_ROOTS)\"; \
					go test -count=1 -v -timeout 30m -tags compositors -skip /kmscon -run Desktops ./docs"' $$root; status=$$?; \
		chroot $$root apt-get clean; echo "== $$root has $$(du -shx $$root | cut -f1) and stays"; [ $$status = 0 ] || failed="$$failed $$release"; \
	done; [ -z "$$failed" ] || fail "these failed:$$failed"

browser:
	@$(MAKE) --no-print-directory deps PACKAGES="$(BROWSER)"
	$(GO) test -count=1 -tags browser -run Browser ./view
