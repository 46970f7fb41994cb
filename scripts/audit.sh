#!/usr/bin/env bash
# Checks the dependencies by deny.toml: licences, bans, sources, and known vulnerabilities where their list can be had.
. "$(dirname "$0")/lib.sh"

VERSION=0.20.2
DENY=$CACHE/cargo-deny/$VERSION

install_deny() {
  say "installing cargo-deny $VERSION (once, a few minutes)"
  # Unoptimised: it is built far oftener than it runs long. Its target folder is thrown away.
  CARGO_TARGET_DIR=$CACHE/cargo-deny/target \
    cargo install --quiet --debug --locked "cargo-deny@$VERSION" --root "$DENY" >&2 ||
    die "cargo-deny could not be installed (see above)"
  rm -rf "$CACHE/cargo-deny/target"
}

once "$DENY.stamp" "$(rustc --version)" install_deny
cd "$ROOT"
"$DENY/bin/cargo-deny" --locked check --hide-inclusion-graph licenses bans sources

# The list of vulnerabilities is a Git repository, which not every network lets through. Out of reach is not a finding.
if timeout 60 "$DENY/bin/cargo-deny" --locked fetch db 2>"$CACHE/cargo-deny/fetch.log"; then
  "$DENY/bin/cargo-deny" --locked check --disable-fetch advisories
else
  say "known vulnerabilities were NOT checked: their list cannot be fetched ($(grep -m1 fatal: "$CACHE/cargo-deny/fetch.log" || true))"
fi
