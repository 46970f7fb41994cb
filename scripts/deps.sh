#!/usr/bin/env bash
# deps.sh build|test|chaos|bench: gets what the build (and the tests, or the benchmark) need from outside, or says in one line what is missing.
. "$(dirname "$0")/lib.sh"

build() {
  need cargo "install the Rust toolchain from https://rustup.rs"
  packages build-essential pkg-config libssl-dev zlib1g-dev git
}

brokers() {
  need_java
  build
  "$ROOT/scripts/kafka.sh" prepare
}

case ${1:-} in
  build) build ;;
  chaos)
    brokers
    packages faketime iproute2
    ;;
  test)
    brokers
    packages faketime
    packages python3 python3-venv openssh-server haproxy
    # Node from elsewhere is as good, and then Debian's would only be in its way.
    command -v npm >/dev/null || packages nodejs npm
    "$ROOT/scripts/client.sh" prepare
    "$ROOT/scripts/issuer.sh" prepare
    "$ROOT/scripts/openapi.sh" prepare
    # Where pages are looked at; without fonts they have no text.
    chromium >/dev/null || packages chromium
    packages fonts-dejavu-core
    "$ROOT/scripts/browser.sh" prepare
    ;;
  bench)
    brokers
    packages haproxy
    ;;
  *) die "usage: deps.sh build|test|chaos|bench" ;;
esac
