#!/bin/sh
# Make .venv from a lock file: `deploy/install.sh run` or `deploy/install.sh dev` (which contains `run`).
#
# Only pip, only pinned versions with their hashes. A stamp with the lock's checksum makes a second call instant
# and shows a half-finished first one. PYTHON=/path/to/python names the interpreter; else the first of
# python3.12, python3.11, python3 that fits is taken.
set -eu
cd "$(dirname "$0")/.."
kind=${1:-run}
case $kind in
run) lock=requirements.lock ;;
dev) lock=requirements-dev.lock ;;
*) echo "usage: deploy/install.sh run|dev" >&2; exit 2 ;;
esac
venv=.venv
python=$venv/bin/python

refuse() { # Chinese, English
	echo "chengyun: $1 | $2" >&2
	exit 1
}

mark() { # lock file -> what the stamp must say
	cksum <"$1"
}

stamped() { # kind, lock: was it installed from this very lock, and does its interpreter still start?
	[ -f "$venv/.installed-$1" ] && [ "$(cat "$venv/.installed-$1")" = "$(mark "$2")" ] && "$python" -c '' 2>/dev/null
}

# The larger set contains the smaller one, as long as the smaller lock is unchanged.
if stamped "$kind" "$lock"; then exit 0; fi

[ "$(uname -s)" = Linux ] && [ "$(uname -m)" = x86_64 ] ||
	refuse "需要 Linux x86-64，本机是 $(uname -s) $(uname -m)" "needs Linux x86-64, this is $(uname -s) $(uname -m)"

fits() { # does this interpreter run, and is it CPython 3.11 or 3.12, 64 bit?
	"$1" -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info < (3, 13) and sys.maxsize > 2**32
	    and sys.implementation.name == "cpython"))' 2>/dev/null
}

find_python() {
	for candidate in ${PYTHON:-python3.12 python3.11 python3}; do
		if fits "$candidate"; then
			echo "$candidate"
			return
		fi
	done
}

# An environment of ours that was made by another Python, or only half, is made again.
if [ ! -x "$python" ] || ! fits "$python" || ! "$python" -m pip --version >/dev/null 2>&1; then
	base=$(find_python)
	[ -n "$base" ] ||
		refuse "需要 Python 3.11 或 3.12（可用 PYTHON=路径 指定）" "needs Python 3.11 or 3.12 (name one with PYTHON=path)"
	if [ -e "$venv" ] && [ ! -f "$venv/pyvenv.cfg" ]; then
		refuse "$PWD/$venv 不是 Python 环境，请先移走" "$PWD/$venv is no Python environment: move it away first"
	fi
	echo "创建 .venv | making .venv ($("$base" -c 'import sys; print(sys.executable, sys.version.split()[0])'))"
	rm -rf "$venv"
	"$base" -m venv "$venv" >/dev/null 2>&1 || {
		rm -rf "$venv"
		"$base" -c 'import ensurepip' 2>/dev/null || refuse \
			"$base 缺少 venv 模块（Debian：apt-get install python3-venv）" \
			"$base lacks the module venv (Debian: apt-get install python3-venv)"
		refuse "无法在 $PWD 创建 .venv（磁盘已满或没有权限？）" "cannot make .venv in $PWD (disk full, no permission?)"
	}
fi

rm -f "$venv/.installed-$kind"
echo "安装依赖 $lock | installing $lock"
log=$venv/install.log
if ! "$python" -m pip install --disable-pip-version-check --no-input --require-hashes --only-binary :all: \
	-r "$lock" >"$log" 2>&1; then
	why=$(grep -E 'ERROR|No space left|Errno' "$log" | tail -n 1)
	case $why in
	*"No space left"*) refuse "磁盘已满，无法安装依赖" "the disk is full: cannot install the dependencies" ;;
	esac
	refuse "依赖安装失败，详见 $PWD/$log" "installation failed: ${why:-see} ($PWD/$log)"
fi
mark "$lock" >"$venv/.installed-$kind"
if [ "$kind" = dev ]; then mark requirements.lock >"$venv/.installed-run"; fi
