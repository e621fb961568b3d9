# bash completion of udrm. Made by "udrm help completion bash".
_udrm() {
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} i
	COMPREPLY=()
	if [ $COMP_CWORD = 1 ]; then
		COMPREPLY=($(compgen -W "run ls plug unplug bind unbind connect disconnect add-connector remove-connector screenshot compare clock seat on fault wait view shrink trace doctor help demo --help --version" -- "$word"))
		return
	fi
	case ${COMP_WORDS[1]} in
	run)
		for ((i = 2; i < COMP_CWORD; i++)); do
			if [ "${COMP_WORDS[i]}" = -- ]; then
				if [ $((i + 1)) = $COMP_CWORD ]; then COMPREPLY=($(compgen -c -- "$word")); else COMPREPLY=($(compgen -f -- "$word")); fi
				return
			fi
		done
		case $previous in
		--config) COMPREPLY=($(compgen -f -- "$word")); return ;;
		--like) COMPREPLY=($(compgen -f -- "$word")); return ;;
		--cards) return ;;
		--driver) COMPREPLY=($(compgen -W "vkms vgem" -- "$word")); return ;;
		--monitor) return ;;
		--crtcs) return ;;
		--format) return ;;
		--vkms) COMPREPLY=($(compgen -W "7.2 6.12" -- "$word")); return ;;
		--vgem) return ;;
		--at) return ;;
		--on) return ;;
		--storm) return ;;
		--clock) COMPREPLY=($(compgen -W "real step fast" -- "$word")); return ;;
		--leftovers) return ;;
		--files) COMPREPLY=($(compgen -W "calls mounts auto" -- "$word")); return ;;
		--trace) COMPREPLY=($(compgen -f -- "$word")); return ;;
		--report) COMPREPLY=($(compgen -f -- "$word")); return ;;
		--expect) return ;;
		--name) return ;;
		esac
		COMPREPLY=($(compgen -W "--config --like --cards --driver --monitor --crtcs --format --vkms --console --no-console --cursor --no-cursor --overlay --plane-pipeline --writeback --no-writeback --syncobj --render --vgem --at --on --storm --clock --lenient --leftovers --hang-up --seat --every-user --every-root --files --trace --report --expect --name --view --verbose" -- "$word")) ;;
	ls)
		case $previous in
		--machine) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine --json" -- "$word")) ;;
	plug)
		case $previous in
		--machine) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine" -- "$word")) ;;
	unplug)
		case $previous in
		--machine) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine" -- "$word")) ;;
	bind)
		case $previous in
		--machine) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine" -- "$word")) ;;
	unbind)
		case $previous in
		--machine) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine" -- "$word")) ;;
	connect)
		case $previous in
		--machine) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine" -- "$word")) ;;
	disconnect)
		case $previous in
		--machine) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine" -- "$word")) ;;
	add-connector)
		case $previous in
		--machine) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine" -- "$word")) ;;
	remove-connector)
		case $previous in
		--machine) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine" -- "$word")) ;;
	screenshot)
		case $previous in
		--machine) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine" -- "$word")) ;;
	compare)
		case $previous in
		--machine) return ;;
		--tolerance) return ;;
		--mask) COMPREPLY=($(compgen -f -- "$word")); return ;;
		--diff) COMPREPLY=($(compgen -f -- "$word")); return ;;
		esac
		COMPREPLY=($(compgen -W "--machine --tolerance --mask --diff" -- "$word")) ;;
	clock)
		case $previous in
		--machine) return ;;
		--timeout) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine --timeout show step stop run real fast" -- "$word")) ;;
	seat)
		case $previous in
		--machine) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine show pause resume revoke restore" -- "$word")) ;;
	on)
		case $previous in
		--machine) return ;;
		--timeout) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine --timeout --json" -- "$word")) ;;
	fault)
		case $previous in
		--machine) return ;;
		--times) return ;;
		--card) return ;;
		--program) return ;;
		--point) COMPREPLY=($(compgen -W " before entered handled after" -- "$word")); return ;;
		esac
		COMPREPLY=($(compgen -W "--machine --times --card --program --point --json" -- "$word")) ;;
	wait)
		case $previous in
		--machine) return ;;
		--frames) return ;;
		--matches) COMPREPLY=($(compgen -f -- "$word")); return ;;
		--tolerance) return ;;
		--mask) COMPREPLY=($(compgen -f -- "$word")); return ;;
		--timeout) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine --frames --lit --matches --tolerance --mask --timeout" -- "$word")) ;;
	view)
		case $previous in
		--machine) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine" -- "$word")) ;;
	shrink)
		for ((i = 2; i < COMP_CWORD; i++)); do
			if [ "${COMP_WORDS[i]}" = -- ]; then
				if [ $((i + 1)) = $COMP_CWORD ]; then COMPREPLY=($(compgen -c -- "$word")); else COMPREPLY=($(compgen -f -- "$word")); fi
				return
			fi
		done
		case $previous in
		--config) COMPREPLY=($(compgen -f -- "$word")); return ;;
		--like) COMPREPLY=($(compgen -f -- "$word")); return ;;
		--cards) return ;;
		--driver) COMPREPLY=($(compgen -W "vkms vgem" -- "$word")); return ;;
		--monitor) return ;;
		--crtcs) return ;;
		--format) return ;;
		--vkms) COMPREPLY=($(compgen -W "7.2 6.12" -- "$word")); return ;;
		--vgem) return ;;
		--at) return ;;
		--on) return ;;
		--storm) return ;;
		--clock) COMPREPLY=($(compgen -W "real step fast" -- "$word")); return ;;
		--leftovers) return ;;
		--files) COMPREPLY=($(compgen -W "calls mounts auto" -- "$word")); return ;;
		--trace) COMPREPLY=($(compgen -f -- "$word")); return ;;
		--report) COMPREPLY=($(compgen -f -- "$word")); return ;;
		--expect) return ;;
		--name) return ;;
		--failing) return ;;
		--timeout) return ;;
		esac
		COMPREPLY=($(compgen -W "--config --like --cards --driver --monitor --crtcs --format --vkms --console --no-console --cursor --no-cursor --overlay --plane-pipeline --writeback --no-writeback --syncobj --render --vgem --at --on --storm --clock --lenient --leftovers --hang-up --seat --every-user --every-root --files --trace --report --expect --name --view --verbose --failing --timeout" -- "$word")) ;;
	trace)
		case $previous in
		--machine) return ;;
		esac
		COMPREPLY=($(compgen -W "--machine show chrome diff coverage stats start stop" -- "$word")) ;;
	doctor)
		case $previous in
		esac
		COMPREPLY=($(compgen -W "" -- "$word")) ;;
	help)
		case $previous in
		esac
		COMPREPLY=($(compgen -W "config at on clock storm report cards control seat trace-format environment exit-status signals leftovers man completion run ls plug unplug bind unbind connect disconnect add-connector remove-connector screenshot compare clock seat on fault wait view shrink trace doctor help demo" -- "$word")) ;;
	demo)
		case $previous in
		--dir) return ;;
		esac
		COMPREPLY=($(compgen -W "--dir" -- "$word")) ;;
	esac
}
complete -F _udrm udrm
