#!/usr/bin/env bash
# deploy-lint.sh: everything under deploy/ that no test can run, under real linters and schema checkers. deploy/README.md
# says which looks at what. A checker that cannot be had is an error, not a gap.
. "$(dirname "$0")/lib.sh"

DEPLOY=$ROOT/deploy
CHART=$DEPLOY/helm/partner-zones
# The oldest that the chart promises, and the newest that the checker knows.
KUBERNETES=(1.30 1.37)
# Highest exposure that `systemd-analyze security` may find, in tenths; what a network service cannot do without is 1.1.
EXPOSURE=12
"$ROOT/scripts/deploy-tools.sh" shellcheck yamllint hadolint compose-check haproxy helm kustomize kubernetes-validate kube-score \
  systemd-analyze promtool
PATH=$CACHE/deploy-tools/bin:$PATH
WORK=$(mktemp -d "${TMPDIR:-/tmp}/partner-zones-deploy.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
FAILED=0

# check WHAT COMMAND...: goes on after a finding, so that all of them are seen.
check() {
  local what=$1
  shift
  if "$@" >"$WORK/log" 2>&1; then
    say "ok       $what"
  else
    say "FINDING  $what"
    sed 's/^/         /' "$WORK/log" >&2
    FAILED=1
  fi
}

refuses() { ! "$@"; }

# silent COMMAND...: of programs that say what is wrong and still end well.
silent() {
  local status=0
  "$@" >"$WORK/said" 2>&1 || status=$?
  [ "$status" = 0 ] && [ ! -s "$WORK/said" ] && return 0
  cat "$WORK/said"
  return 1
}

# --- images and compose ------------------------------------------------------------------------------------------

same_toolchain() {
  local wanted
  wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml")
  grep -q "^FROM rust:$wanted-" "$DEPLOY/Dockerfile" || { echo "deploy/Dockerfile does not build with Rust $wanted"; return 1; }
}

# The names of the gateways are Docker's: none resolves here.
balancer() { sed 's/^\( *server [^ ]*\) gateway-[12]$/\1 127.0.0.1/' "$1" >"$WORK/haproxy.cfg" && haproxy -c -q -f "$WORK/haproxy.cfg"; }

check_images() {
  local scripts
  mapfile -t scripts < <(find "$DEPLOY" -name '*.sh'; echo "$ROOT"/scripts/deploy-*.sh | tr ' ' '\n')
  check "scripts: shellcheck" shellcheck --source-path="$ROOT/scripts" --external-sources "${scripts[@]}"
  check "Dockerfile: hadolint" hadolint --failure-threshold style "$DEPLOY/Dockerfile"
  check "Dockerfile: the toolchain of rust-toolchain.toml" same_toolchain
  check "compose.yaml: scripts/compose-check" compose-check "$DEPLOY/compose/compose.yaml"
  check "haproxy.cfg: haproxy -c" balancer "$DEPLOY/compose/haproxy.cfg"
}

# --- Kubernetes --------------------------------------------------------------------------------------------------

# Three of its demands are not met, with a reason: a limit of CPU time only slows a relay down; tags are versions, so a node need not
# ask again; the controllers' probes are one (templates/_helpers.tpl says why).
score() {
  kube-score score --kubernetes-version v1.30 --output-format ci --ignore-container-cpu-limit \
    --ignore-test container-image-pull-policy --ignore-test pod-probes-identical "$1"
}

objects() {
  local version
  for version in "${KUBERNETES[@]}"; do
    check "$1: schemas of Kubernetes $version" kubernetes-validate --strict --quiet --kubernetes-version "$version" "$2"
  done
  check "$1: kube-score" score "$2"
}

render() { helm template partner-zones "$CHART" "${@:2}" >"$1"; }

check_chart() {
  local values name
  for values in "$CHART/values.yaml" "$CHART"/ci/*-values.yaml; do
    name="chart, $(basename "$values")"
    check "$name: helm lint" helm lint --strict --quiet "$CHART" --values "$values"
    check "$name: helm template" render "$WORK/chart.yaml" --values "$values"
    objects "$name" "$WORK/chart.yaml"
  done
  check "chart, without network policies: helm template" render "$WORK/chart.yaml" --set networkPolicy.enabled=false
  # What the chart must not take. Each was seen to be taken when its rule was not there.
  check "chart: refuses an unknown value" refuses render /dev/null --set gateway.replica=3
  check "chart: refuses a value of another type" refuses render /dev/null --set-string gateway.replicas=three
  check "chart: refuses a role that there is not" refuses render /dev/null --set 'secrets[0].roles={portal}'
  check "chart: refuses a configuration that is not YAML" refuses render /dev/null --set config='a: b: c'
  check "chart: refuses an API that no probe reaches" \
    refuses render /dev/null --set config='{clusters: {a: {}}, gateway: {advertisedHost: a}, http: {admin: "127.0.0.1:8080"}}'
  check "chart: refuses brokers of an unknown cluster" refuses render /dev/null --set 'gateway.service.brokers[0].cluster=west'
}

check_manifests() {
  local mode
  check "manifests: scripts/deploy-manifests.sh" "$ROOT/scripts/deploy-manifests.sh" "$WORK/manifests"
  for mode in port sni; do
    # The other way round: what is made must be there, and as it is made.
    for file in "$WORK/manifests/$mode"/*.yaml; do
      check "manifests, $mode: $(basename "$file") is what the chart makes" diff -u "$DEPLOY/kubernetes/$mode/$(basename "$file")" "$file"
    done
    check "manifests, $mode: kustomize" kustomize build "$DEPLOY/kubernetes/$mode" --output "$WORK/$mode.yaml"
    objects "manifests, $mode" "$WORK/$mode.yaml"
  done
}

# --- systemd and Prometheus --------------------------------------------------------------------------------------

# A root of its own, with the users and folders that the files ask for.
set_up() {
  local root=$WORK/root
  mkdir -p "$root/etc"
  systemd-sysusers --root="$root" "$DEPLOY/systemd/partner-zones.sysusers" &&
    systemd-tmpfiles --root="$root" --create "$DEPLOY/systemd/partner-zones.tmpfiles" &&
    [ "$(stat -c %a "$root/etc/partner-zones/secrets")" = 750 ]
}

check_systemd() {
  local unit file
  for unit in controller gateway; do
    file=$WORK/partner-zones-$unit.service
    # The binary is not installed where this runs.
    sed 's|^ExecStart=/usr/local/bin/reconciler |ExecStart=/bin/true |' "$DEPLOY/systemd/partner-zones-$unit.service" >"$file"
    check "systemd, $unit: systemd-analyze verify" silent systemd-analyze verify --man=no "$file"
    check "systemd, $unit: systemd-analyze security" \
      systemd-analyze security --no-pager --offline=true --threshold="$EXPOSURE" "$file"
  done
  check "systemd: systemd-sysusers, systemd-tmpfiles" set_up
}

check_alerts() {
  check "alerts.yaml: promtool check rules" promtool check rules "$DEPLOY/prometheus/alerts.yaml"
  check "alerts.yaml: promtool test rules" promtool test rules "$DEPLOY/prometheus/alerts-test.yaml"
}

# Templates are no YAML before they are rendered.
yaml_files() { find "$DEPLOY" -name '*.yaml' -not -path '*/templates/*' -not -path "$DEPLOY/ci/*" -not -path '*/compose/zones-repo/*'; }

mapfile -t files < <(yaml_files)
check "YAML: yamllint" yamllint --strict --config-file "$DEPLOY/yamllint.yaml" "${files[@]}"
check_images
check_chart
check_manifests
check_systemd
check_alerts
[ "$FAILED" = 0 ] || die "deploy/ has findings (see above)"
