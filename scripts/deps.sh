#!/usr/bin/env bash
# deps.sh build|test: gets what the build (or the tests as well) need from outside, or says in one line what is missing.
. "$(dirname "$0")/lib.sh"

build() {
  need cargo "install the Rust toolchain from https://rustup.rs"
  packages build-essential pkg-config libssl-dev zlib1g-dev git
}

case ${1:-} in
  build) build ;;
  test)
    need_java
    build
    packages python3 python3-venv
    # Node from elsewhere is as good, and then Debian's would only be in its way.
    command -v npm >/dev/null || packages nodejs npm
    "$ROOT/scripts/kafka.sh" prepare
    "$ROOT/scripts/client.sh" prepare
    ;;
  *) die "usage: deps.sh build|test" ;;
esac
