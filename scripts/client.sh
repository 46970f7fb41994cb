#!/usr/bin/env bash
# client.sh CLIENT COMMAND ...   runs a client that nobody here wrote; tests/clients/README.md has the clients and commands
# client.sh prepare              builds all drivers (once; `.cache/clients/`)
#
# CLIENT_HOSTS=FILE shows the client this file as /etc/hosts, in a mount namespace of its own (needs root or user namespaces).
. "$(dirname "$0")/lib.sh"

CLIENTS=(java java2 librdkafka kafka-python franz-go sarama kafkajs)
declare -A KIND=([java]=jvm [java2]=jvm [librdkafka]=python [kafka-python]=python [franz-go]=go [sarama]=go [kafkajs]=node)
declare -A MAIN=([java]=driver.Driver [java2]=driver.Java2)
BUILT=$CACHE/clients
DRIVERS=$ROOT/tests/clients

# built CLIENT FILE...: builds a driver unless it was, from these files.
built() {
  local client=$1
  shift
  once "$BUILT/$client.stamp" "$(fingerprint "$@")" "build_${KIND[$client]}" "$client"
}

# --- on the JVM --------------------------------------------------------------------------------------------------

# sources CLIENT: its pom and everything that is compiled.
sources() { find "$DRIVERS/java" "$DRIVERS/$1" \( -name '*.java' -o -name pom.xml \) | LC_ALL=C sort -u; }

prepare_jvm() {
  need_java
  local files
  mapfile -t files < <(sources "$1")
  built "$1" "${files[@]}" "$0"
}

build_jvm() {
  say "building the driver of the client '$1' (once)"
  rm -rf "${BUILT:?}/$1"
  maven -f "$DRIVERS/$1/pom.xml" "-Ddriver.target=$BUILT/$1" \
    compile dependency:copy-dependencies -DoutputDirectory="$BUILT/$1/lib" -DincludeScope=runtime ||
    die "Maven could not build tests/clients/$1 (see above)"
  jar --create --file "$BUILT/$1/lib/driver.jar" -C "$BUILT/$1/classes" . # an archive of classes takes none from a folder
  archive_jvm "$1" || say "the client '$1' will start slower: its classes could not be archived"
}

# archive_jvm CLIENT: what it loads for a transaction over what it has read in a group, on a broker of its own. A third of a start is saved.
archive_jvm() {
  local plain sasl login=$BUILT/$1/admin.properties
  printf '%s\n' security.protocol=SASL_PLAINTEXT sasl.mechanism=PLAIN \
    'sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="admin-secret";' >"$login"
  coproc "$ROOT/scripts/kafka.sh" supervise 1
  local broker=$COPROC_PID stdin=${COPROC[1]}
  read -r _ plain sasl _ <&"${COPROC[0]}" || return 1
  local client=(-cp "$(jars "$BUILT/$1/lib")" "${MAIN[$1]}") at=(--bootstrap "$sasl" --config "$login" --topic archived)
  "$ROOT/scripts/kafka.sh" tool TopicCommand --bootstrap-server "$plain" --create --topic archived &&
    java "${QUICK_JVM[@]}" "${client[@]}" produce "${at[@]}" --value x &&
    class_archive "$BUILT/$1/classes.jsa" "${client[@]}" transact "${at[@]}" --transactional-id a --from-topic archived --group a --max 1
  exec {stdin}>&- # which ends the broker
  wait "$broker" || true
  [ -e "$BUILT/$1/classes.jsa" ]
} >"$BUILT/$1.archive.log" 2>&1

run_jvm() {
  exec java -Xmx192m "${QUICK_JVM[@]}" "-XX:SharedArchiveFile=$BUILT/$1/classes.jsa" \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$(jars "$BUILT/$1/lib")" "${MAIN[$1]}" "${@:2}"
}

# --- in Python ---------------------------------------------------------------------------------------------------

prepare_python() {
  need python3 "Python 3.9 or newer is needed (Debian: apt-get install python3 python3-venv)"
  built "$1" "$DRIVERS/$1/requirements.txt" <(python3 --version)
}

build_python() {
  say "installing the client '$1' (once)"
  python_env "$BUILT/$1" "$DRIVERS/$1/requirements.txt"
}

run_python() { exec "$BUILT/$1/bin/python" "$DRIVERS/$1/driver.py" "${@:2}"; }

# --- in Go -------------------------------------------------------------------------------------------------------

prepare_go() {
  need go "Go 1.26 or newer is needed (https://go.dev/dl; Debian's may be too old)"
  local files
  mapfile -t files < <(find "$DRIVERS/go" -name '*.go' -o -name 'go.*' | LC_ALL=C sort)
  built "$1" "${files[@]}" <(go version)
}

build_go() {
  say "building the driver of the client '$1' (once)"
  mkdir -p "$BUILT/$1"
  # The toolchain at hand or none: a newer one would be fetched behind the caller's back.
  (cd "$DRIVERS/go" && GOTOOLCHAIN=local GOFLAGS=-mod=readonly go build -o "$BUILT/$1/driver" "./$1") >&2 ||
    die "Go could not build tests/clients/go/$1 (see above)"
}

run_go() { exec "$BUILT/$1/driver" "${@:2}"; }

# --- in JavaScript -----------------------------------------------------------------------------------------------

prepare_node() {
  need node "Node.js 18 or newer is needed (Debian: apt-get install nodejs npm)"
  need npm "npm fetches kafkajs (Debian: apt-get install npm)"
  built "$1" "$DRIVERS/$1/package-lock.json" <(node --version)
}

build_node() {
  say "installing the client '$1' (once)"
  rm -rf "${BUILT:?}/$1"
  mkdir -p "$BUILT/$1"
  cp "$DRIVERS/$1/"package{,-lock}.json "$BUILT/$1/"
  (cd "$BUILT/$1" && npm ci --silent --no-audit --no-fund --no-update-notifier) >&2 ||
    die "npm could not install what tests/clients/$1/package-lock.json names (see above)"
}

run_node() { NODE_PATH=$BUILT/$1/node_modules exec node "$DRIVERS/$1/driver.js" "${@:2}"; }

case " ${CLIENTS[*]} prepare " in
  *" ${1:-} "*) ;;
  *) die "usage: client.sh prepare | CLIENT COMMAND ...   with CLIENT one of: ${CLIENTS[*]}" ;;
esac
if [ "$1" = prepare ]; then
  for client in "${CLIENTS[@]}"; do "prepare_${KIND[$client]}" "$client"; done
else
  "prepare_${KIND[$1]}" "$1"
  if [ -n "${CLIENT_HOSTS:-}" ]; then
    # shellcheck disable=SC2016 # for the inner shell
    exec env -u CLIENT_HOSTS unshare --user --map-root-user --mount -- \
      sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$CLIENT_HOSTS" "$0" "$@"
  fi
  "run_${KIND[$1]}" "$@"
fi
