#!/usr/bin/env bash
# browser.sh run ARGUMENT...   runs Chromium without a window. Messages of DevTools go in on stdin and come out on stdout, each ended by a zero
# browser.sh axe               prints where the script of axe-core is, which looks for what keeps people out of a page
# browser.sh prepare           installs axe-core (once; `.cache/axe/`)
. "$(dirname "$0")/lib.sh"

SOURCE=$ROOT/tests/axe
INSTALLED=$CACHE/axe

prepare() {
  need npm "npm fetches axe-core (Debian: apt-get install nodejs npm)"
  once "$INSTALLED.stamp" "$(fingerprint "$SOURCE"/*)" install_axe
}

install_axe() {
  say "installing axe-core (once)"
  rm -rf "${INSTALLED:?}"
  mkdir -p "$INSTALLED"
  cp "$SOURCE"/* "$INSTALLED/"
  (cd "$INSTALLED" && npm ci --silent --no-audit --no-fund --no-update-notifier) >&2 ||
    die "npm could not install what tests/axe/package-lock.json names (see above)"
}

run() {
  local browser flags
  browser=$(chromium) || die "Chromium is missing (Debian: apt-get install --no-install-recommends chromium)"
  flags=(--headless --remote-debugging-pipe --no-first-run --no-default-browser-check --disable-extensions --disable-sync
    --disable-background-networking --disable-component-update --disable-breakpad --disable-dev-shm-usage --disable-gpu
    --metrics-recording-only --log-level=3 --password-store=basic --hide-scrollbars --no-proxy-server --lang=en-US
    # Nothing leaves the machine, whatever a page asks for.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
  # Its sandbox takes rights away that root has; the pages are our own.
  [ "$(id -u)" -ne 0 ] || flags+=(--no-sandbox)
  exec "$browser" "${flags[@]}" "$@" about:blank 3<&0 4>&1 </dev/null >&2
}

case ${1:-} in
  prepare) prepare ;;
  axe)
    prepare
    printf '%s\n' "$INSTALLED/node_modules/axe-core/axe.min.js"
    ;;
  run) run "${@:2}" ;;
  *) die "usage: browser.sh prepare | axe | run ARGUMENT..." ;;
esac
