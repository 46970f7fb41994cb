#!/usr/bin/env bash
# issuer.sh PORT FOLDER KEYS CLIENTS SECONDS   runs the issuer of tokens for tests; tests/issuer/issuer.mjs has what they mean
# issuer.sh prepare                            installs it (once; `.cache/issuer/`)
. "$(dirname "$0")/lib.sh"

SOURCE=$ROOT/tests/issuer
INSTALLED=$CACHE/issuer

prepare() {
  need node "Node.js 18 or newer is needed (Debian: apt-get install nodejs npm)"
  need npm "npm fetches oidc-provider (Debian: apt-get install npm)"
  once "$INSTALLED.stamp" "$(fingerprint "$SOURCE"/package*.json <(node --version))" install_issuer
}

install_issuer() {
  say "installing the issuer of tokens (once)"
  rm -rf "${INSTALLED:?}"
  mkdir -p "$INSTALLED"
  cp "$SOURCE"/package*.json "$INSTALLED/"
  (cd "$INSTALLED" && npm ci --silent --no-audit --no-fund --no-update-notifier) >&2 ||
    die "npm could not install what tests/issuer/package-lock.json names (see above)"
}

[ $# -gt 0 ] || die "usage: issuer.sh prepare | PORT FOLDER KEYS CLIENTS SECONDS"
prepare
[ "$1" != prepare ] || exit 0
# Beside what it imports, under a name of its own: another checkout may run another one.
SCRIPT=$INSTALLED/issuer-$(fingerprint "$SOURCE/issuer.mjs").mjs
cp "$SOURCE/issuer.mjs" "$SCRIPT.$$" && mv "$SCRIPT.$$" "$SCRIPT"
exec node "$SCRIPT" "$@"
