#!/usr/bin/env bash
# openapi.sh ask DOCUMENT OPTION...   asks everything of a server that its document tells of: schemathesis, as tests/openapi/schemathesis.toml has it
# openapi.sh validate FILE            whether a document is OpenAPI
# openapi.sh prepare                  installs both (once; `.cache/openapi/`)
. "$(dirname "$0")/lib.sh"

SOURCE=$ROOT/tests/openapi
INSTALLED=$CACHE/openapi

prepare() {
  need python3 "Python 3.11 or newer is needed (Debian: apt-get install python3 python3-venv)"
  once "$INSTALLED.stamp" "$(fingerprint "$SOURCE/requirements.txt" <(python3 --version))" install
}

install() {
  say "installing schemathesis (once)"
  python_env "$INSTALLED" "$SOURCE/requirements.txt"
}

case ${1:-} in
  prepare) prepare ;;
  ask)
    prepare
    exec "$INSTALLED/bin/schemathesis" --config-file "$SOURCE/schemathesis.toml" run "${@:2}"
    ;;
  validate)
    prepare
    exec "$INSTALLED/bin/openapi-spec-validator" "${@:2}"
    ;;
  *) die "usage: openapi.sh prepare | ask DOCUMENT OPTION... | validate FILE" ;;
esac
