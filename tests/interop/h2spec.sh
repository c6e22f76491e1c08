#!/bin/sh
# h2spec.sh - an HTTP/2 conformance suite that others wrote, over a real socket.
#
#   h2spec.sh HOST:PORT           the server that listens there: 146 cases
#   h2spec.sh --client PROGRAM    `PROGRAM http://HOST:PORT/` is started for each of the client cases
#   h2spec.sh --engine H2_TOOL    both, over the engine alone (build/tests/h2/h2_tool)
#
# Needs Go and the module proxy; prints SKIP and exits 77 where either is not to be had. What it
# installs stays in $H2SPEC_DIR (default: a folder under the user's cache). Exit 1: a case failed.
set -eu

version=v2.2.1+incompatible
module=github.com/summerwind/h2spec/cmd
dir=${H2SPEC_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weir/h2spec}
port=${H2SPEC_PORT:-18490}

skip() { echo "SKIP h2spec: $1"; exit 77; }
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }

install_suite() {
	[ -x "$dir/bin/h2spec" ] && [ -x "$dir/bin/h2specd" ] && return
	command -v go >/dev/null || skip "Go is not installed"
	mkdir -p "$dir"
	for p in h2spec h2specd; do
		GOPATH=$dir/go GOBIN=$dir/bin GOFLAGS=-modcacherw timeout 300 \
			go install "$module/$p@$version" >"$dir/install.log" 2>&1 ||
			skip "$module/$p@$version can't be installed: $(tail -n 1 "$dir/install.log")"
	done
}

# summary FILE: its last line that counts; fails when a case failed or none ran.
summary() {
	line=$(grep -E '^[0-9]+ tests, ' "$1" | tail -n 1)
	echo "h2spec: ${line:-no result}"
	case $line in
	*", 0 skipped, 0 failed") return 0 ;;
	*) grep -aE '×|Error|-> |Expected|Actual' "$1" | head -n 60; return 1 ;;
	esac
}

server() {
	"$dir/bin/h2spec" --strict -h "${1%:*}" -p "${1##*:}" -o 2 >"$work/server" 2>&1 || true
	summary "$work/server"
}

client() {
	# The suite prints a line for each of its own closed listeners: keep the rest.
	(cd "$work" && timeout 300 "$dir/bin/h2specd" -f 20000 -p "$port" -e "$1" 2>&1 || true) |
		grep -v 'use of closed network connection' >"$work/client" || true
	summary "$work/client"
}

engine() {
	"$1" serve "$port" >"$work/serve" &
	pid=$!
	until grep -q listening "$work/serve"; do
		kill -0 "$pid" 2>/dev/null || { echo "h2spec.sh: $1 did not start" >&2; exit 1; }
	done
	server "127.0.0.1:$port" || failed=1
	kill "$pid"
	wait "$pid" 2>/dev/null || true
	client "$1 get" || failed=1
	return "${failed:-0}"
}

[ $# -ge 1 ] || usage
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $1 in
--client) [ $# -eq 2 ] || usage; install_suite; client "$2" ;;
--engine) [ $# -eq 2 ] || usage; install_suite; engine "$(readlink -f "$2")" ;;
-*) usage ;;
*) install_suite; server "$1" ;;
esac
