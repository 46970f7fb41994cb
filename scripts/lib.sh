# Shared by the scripts of this folder; sourced, never run.
# shellcheck shell=bash
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=$ROOT/.cache
mkdir -p "$CACHE"

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# need COMMAND HOW: stops with one line that says how to get a missing command.
need() { command -v "$1" >/dev/null || die "$1 is missing: $2"; }

need_java() {
  need javac "a JDK, 17 or newer, is needed (Debian: apt-get install openjdk-17-jdk-headless)"
  need java "a JDK, 17 or newer, is needed (Debian: apt-get install openjdk-17-jdk-headless)"
  need mvn "Maven fetches Kafka and its clients (Debian: apt-get install maven)"
}

# chromium: prints the command of a Chromium that is there, whoever has built it.
chromium() {
  local name
  for name in chromium chromium-browser google-chrome-stable google-chrome chrome; do
    type -P "$name" && return 0 # a program: this function has the name of one
  done
  return 1
}

# packages NAME...: installs the Debian packages that are not there yet.
packages() {
  command -v dpkg-query >/dev/null || return 0 # not Debian: the compiler will say what it misses
  local missing=() name as_root=()
  for name in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || die "system packages are missing, and installing them needs root: sudo apt-get install ${missing[*]}"
    as_root=(sudo -n)
  fi
  say "installing system packages: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq >/dev/null || say "apt-get update failed; trying with the package lists at hand"
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "could not install: ${missing[*]}"
}

# once STAMP FINGERPRINT COMMAND...: runs COMMAND unless it already ran to its end for this fingerprint. One at a
# time over all processes, so that two test runs in one checkout do not build the same thing twice.
once() {
  local stamp=$1 fingerprint=$2
  shift 2
  [ "$(cat "$stamp" 2>/dev/null)" = "$fingerprint" ] && return 0
  mkdir -p "$(dirname "$stamp")"
  ( # `set -e` does not hold in here, because of the `||` behind it
    flock 9
    [ "$(cat "$stamp" 2>/dev/null)" = "$fingerprint" ] && exit 0
    rm -f "$stamp"
    "$@" 9>&- || exit 1
    printf '%s' "$fingerprint" >"$stamp"
  ) 9>"$stamp.lock" || exit 1
}

# fingerprint FILE...: changes when one of the files does.
fingerprint() { cat "$@" | sha256sum | cut -c1-64; }

# jars FOLDER: a class path in a fixed order (the order of a wildcard is the file system's, and a class-data archive
# is only used with the very class path it was made with).
jars() {
  local all=("$1"/*.jar)
  (IFS=:; printf '%s' "${all[*]}")
}

# JVM flags of what runs for a moment: a quick start, and nothing said of an archive that cannot be used, which only starts slower.
QUICK_JVM=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xlog:disable -Xlog:all=error:stderr)

# class_archive FILE ARGUMENT...: what `java ARGUMENT...` loads, as an archive that halves its next start with the same class path.
# Whatever it says, and however it ends: an archive only makes faster.
class_archive() { java "${QUICK_JVM[@]}" "-XX:ArchiveClassesAtExit=$1" "${@:2}" >/dev/null 2>&1 || true; }

# maven ARGUMENT...: quietly, on stderr, and without the colour codes that it prints even when told not to.
maven() { mvn -B -q "$@" 2>&1 | sed 's/\x1b\[[0-9;]*m//g' >&2; }

# maven_jars POM FOLDER: copies the class path of POM to FOLDER.
maven_jars() {
  rm -rf "$2"
  maven -f "$1" dependency:copy-dependencies -DoutputDirectory="$2" -DincludeScope=runtime ||
    die "Maven could not fetch what $1 names (see above)"
}

# python_env FOLDER REQUIREMENTS: makes FOLDER a virtual environment that has what REQUIREMENTS names.
python_env() {
  rm -rf "${1:?}"
  python3 -m venv "$1" >&2 || die "python3 cannot make a virtual environment (Debian: apt-get install python3-venv)"
  "$1/bin/pip" install --quiet --disable-pip-version-check -r "$2" >&2 || die "pip could not install what $2 names (see above)"
}
