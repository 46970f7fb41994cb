#!/usr/bin/env bash
# deploy-manifests.sh [FOLDER]: makes the plain manifests of the Helm chart, in deploy/kubernetes/ or, to compare, elsewhere.
. "$(dirname "$0")/lib.sh"

CHART=$ROOT/deploy/helm/partner-zones
TO=${1:-$ROOT/deploy/kubernetes}
"$ROOT/scripts/deploy-tools.sh" helm
work=$(mktemp -d "${TMPDIR:-/tmp}/partner-zones-manifests.XXXXXX")
trap 'rm -rf "$work"' EXIT

for mode in port sni; do
  "$CACHE/deploy-tools/bin/helm" template partner-zones "$CHART" --output-dir "$work/$mode" \
    --set-file config="$ROOT/deploy/kubernetes/$mode/reconciler.yaml" >/dev/null
  mkdir -p "$TO/$mode"
  for name in controller gateway networkpolicy serviceaccount; do
    {
      echo "# Made by scripts/deploy-manifests.sh; do not edit."
      # What tells Helm's own things, and what kustomize does in another way.
      sed -e '/^$/d; /^# Source: /d; /helm\.sh\/chart:/d; /managed-by: Helm$/d' \
        -e '/^ *annotations:$/{N; /checksum\/config:/d}' "$work/$mode/partner-zones/templates/$name.yaml"
    } >"$TO/$mode/$name.yaml"
  done
done
