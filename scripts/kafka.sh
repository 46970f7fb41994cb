#!/usr/bin/env bash
# Real Apache Kafka on loopback: N combined KRaft brokers (1 or 3), for the tests and for developers.
#
#   kafka.sh prepare          fetch Kafka and make what every start shares (once; `.cache/kafka/`)
#   kafka.sh up [N]           start N brokers (default 3) and return; KAFKA_PORT is the first port (default 29092)
#   kafka.sh down             stop them; their data goes
#   kafka.sh supervise [N]    start N brokers on free ports for as long as stdin is open; see `supervise` below
#   kafka.sh tool CLASS ...   run a tool, such as TopicCommand, ConsumerGroupCommand, AclCommand
#
# Broker i of N listens on PORT+i-1 (plain text), PORT+N+i-1 (SASL: PLAIN, SCRAM) and PORT+2N+i-1 (controller).
# With KAFKA_TLS=FOLDER, which holds broker.pem (key and certificate) and ca.pem, also on PORT+3N+i-1 (TLS with client
# certificates) and PORT+4N+i-1 (SASL under TLS).
# With KAFKA_SASL_HOST, brokers name that host to whoever asks on SASL: somebody else listens there, on the same ports.
# With KAFKA_SASL_LISTEN, they listen on that address for SASL, and not on 127.0.0.1.
# KAFKA_JVM_OPTS replaces the JVM flags, which are chosen for a quick start, not for throughput. KAFKA_SETTINGS holds
# more lines of broker configuration.
. "$(dirname "$0")/lib.sh"

VERSION=4.4.0
TOOLS_VERSION=4.3.1
HOME_DIR=$CACHE/kafka/$VERSION
TOOLS_DIR=$CACHE/kafka-tools/$TOOLS_VERSION
TEMPLATE=$HOME_DIR/template
UP_DIR=$CACHE/run/kafka
JVM_OPTS=${KAFKA_JVM_OPTS:--Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1}
READY_SECONDS=120
PIDS=()

# --- what every start shares -------------------------------------------------------------------------------------

prepare() {
  prepare_tools
  once "$HOME_DIR/lib.stamp" "$(fingerprint "$ROOT/tests/kafka/pom.xml")" fetch
  once "$HOME_DIR/template.stamp" \
    "$(fingerprint "$ROOT/tests/kafka/"{pom.xml,tools/pom.xml,broker.properties} "$0" <(java -version 2>&1))" make_template
}

prepare_tools() {
  need_java
  once "$TOOLS_DIR/lib.stamp" "$(fingerprint "$ROOT/tests/kafka/tools/pom.xml")" fetch_tools
}

fetch() {
  say "fetching Kafka $VERSION (once)"
  maven_jars "$ROOT/tests/kafka/pom.xml" "$HOME_DIR/lib"
}

fetch_tools() {
  say "fetching Kafka's tools $TOOLS_VERSION (once)"
  maven_jars "$ROOT/tests/kafka/tools/pom.xml" "$TOOLS_DIR/lib"
}

# A formatted data folder, to be copied for each broker of each run, and class-data archives that halve the time a
# broker and a tool need to start. A broker's is written when it ends in good order.
make_template() {
  say "preparing Kafka $VERSION (once)"
  rm -rf "$TEMPLATE" "$HOME_DIR/classes.jsa"
  mkdir -p "$TEMPLATE"
  local port
  port=$(free_ports 3) || exit 1
  configure "$TEMPLATE/server.properties" 1 1 "$port" "$TEMPLATE/data"
  java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$(jars "$HOME_DIR/lib")" kafka.tools.StorageTool format \
    -t "$(new_id)" -c "$TEMPLATE/server.properties" \
    --add-scram 'SCRAM-SHA-256=[name=admin,password=admin-secret]' \
    --add-scram 'SCRAM-SHA-512=[name=admin,password=admin-secret]' \
    --add-scram 'SCRAM-SHA-256=[name=gateway,password=gateway-secret]' \
    --add-scram 'SCRAM-SHA-512=[name=gateway,password=gateway-secret]' >"$TEMPLATE/format.log" 2>&1 ||
    die "Kafka could not format its folder: $(tail -n 3 "$TEMPLATE/format.log")"
  (
    PIDS=()
    new_broker "$TEMPLATE/once" 1 1 "$port"
    start_broker "$TEMPLATE/once" 1 "-XX:ArchiveClassesAtExit=$HOME_DIR/classes.jsa"
    await_broker "$TEMPLATE/once" 1 "$(date +%s)" || { tail -n 20 "$TEMPLATE/once/broker-1.log" >&2; exit 1; }
    class_archive "$TOOLS_DIR/classes.jsa" -cp "$(jars "$TOOLS_DIR/lib")" \
      org.apache.kafka.tools.TopicCommand --create --topic archived --bootstrap-server "127.0.0.1:$port"
    kill -TERM "${PIDS[1]}"
    wait "${PIDS[1]}" || true
    rm -rf "$TEMPLATE/once"
  ) || die "Kafka did not start (see above)"
}

new_id() { head -c 16 /dev/urandom | base64 | tr '+/' 'Aa' | cut -c1-22; }

# --- one broker --------------------------------------------------------------------------------------------------

# configure FILE BROKER BROKERS PORT DATA
configure() {
  local file=$1 broker=$2 brokers=$3 port=$4 data=$5 voters="" i
  for ((i = 1; i <= brokers; i++)); do
    voters+=${voters:+,}$i@127.0.0.1:$((port + 2 * brokers + i - 1))
  done
  sed -e "s|@NODE@|$broker|; s|@DATA@|$data|; s|@VOTERS@|$voters|; s|@REPLICATION@|$brokers|" \
    -e "s|@PLAINTEXT@|$((port + broker - 1))|; s|@SASL@|$((port + brokers + broker - 1))|" \
    -e "s|@CONTROLLER@|$((port + 2 * brokers + broker - 1))|" "$ROOT/tests/kafka/broker.properties" >"$file"
  [ -z "${KAFKA_SASL_HOST:-}" ] || printf 'advertised.listeners=%s,%s\n' \
    "PLAINTEXT://127.0.0.1:$((port + broker - 1))" "SASL://$KAFKA_SASL_HOST:$((port + brokers + broker - 1))" >>"$file"
  [ -z "${KAFKA_SASL_LISTEN:-}" ] || sed -i "s|SASL://127.0.0.1:|SASL://$KAFKA_SASL_LISTEN:|" "$file"
  [ -z "${KAFKA_TLS:-}" ] || secure "$file" $((port + 3 * brokers + broker - 1)) $((port + 4 * brokers + broker - 1))
}

# secure FILE SSL_PORT SASL_SSL_PORT: two more listeners, under TLS; the first one wants a client's certificate.
secure() {
  local file=$1
  sed -i -e "s|^listeners=.*|&,SSL://127.0.0.1:$2,SASLSSL://127.0.0.1:$3|" \
    -e 's|^listener.security.protocol.map=.*|&,SSL:SSL,SASLSSL:SASL_SSL|' \
    -e 's|^super.users=.*|&;User:CN=gateway|' "$file"
  sed -n 's|^listener.name.sasl\.|listener.name.saslssl.|p' "$file" >"$file.tls"
  cat "$file.tls" - >>"$file" <<PROPERTIES
ssl.keystore.type=PEM
ssl.keystore.location=$KAFKA_TLS/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$KAFKA_TLS/ca.pem
listener.name.ssl.ssl.client.auth=required
PROPERTIES
  rm "$file.tls"
}

# new_broker DIR BROKER BROKERS PORT [CLUSTER_ID]: the template's folder under another identity.
new_broker() {
  local dir=$1 broker=$2 brokers=$3 port=$4 cluster=${5:-}
  mkdir -p "$dir"
  cp -r "$TEMPLATE/data" "$dir/data-$broker"
  sed -i -e "s|^node.id=.*|node.id=$broker|; s|^directory.id=.*|directory.id=$(new_id)|" \
    ${cluster:+-e "s|^cluster.id=.*|cluster.id=$cluster|"} "$dir/data-$broker/meta.properties"
  configure "$dir/broker-$broker.properties" "$broker" "$brokers" "$port" "$dir/data-$broker"
  echo "${KAFKA_SETTINGS:-}" >>"$dir/broker-$broker.properties"
}

# start_broker DIR BROKER [JVM FLAG]: does not wait. Brokers die with this shell, except those of `up`.
start_broker() {
  local dir=$1 broker=$2 archive=${3:-} tie
  [ -z "$archive" ] && [ -e "$HOME_DIR/classes.jsa" ] && archive=-XX:SharedArchiveFile=$HOME_DIR/classes.jsa
  # The kernel kills the broker when this shell ends. It promises so only from the call of `setpriv` on: a shell that had
  # ended before that is noticed by asking for the parent afterwards.
  # shellcheck disable=SC2016 # for the inner shell
  tie=(setpriv --pdeathsig KILL -- sh -c '[ "$PPID" = "$0" ] && exec "$@"' "$BASHPID")
  [ "$dir" = "$UP_DIR" ] && tie=(setsid)
  : >>"$dir/broker-$broker.log" # by this shell, since `await_broker` can read it before the broker runs
  # shellcheck disable=SC2086 # flags are words
  "${tie[@]}" java $JVM_OPTS ${archive:+"$archive"} -Xlog:disable -Xlog:all=error:stderr \
    -Dlog4j2.configurationFile="$ROOT/tests/kafka/log4j2.properties" -cp "$(jars "$HOME_DIR/lib")" \
    kafka.Kafka "$dir/broker-$broker.properties" >>"$dir/broker-$broker.log" 2>&1 </dev/null &
  PIDS[broker]=$!
  echo "$!" >"$dir/broker-$broker.pid"
}

# await_broker DIR BROKER SINCE [EARLIER]: until its log says for the (EARLIER+1)th time that it is ready.
await_broker() {
  local log=$1/broker-$2.log since=$3 earlier=${4:-0}
  while [ "$(grep -c 'Kafka Server started' "$log")" -le "$earlier" ]; do
    kill -0 "${PIDS[$2]}" 2>/dev/null || return 1
    [ $(($(date +%s) - since)) -lt "$READY_SECONDS" ] || return 1
    sleep 0.1
  done
}

# stop_broker BROKER SIGNAL: and waits for its end.
stop_broker() {
  kill "-$2" "${PIDS[$1]}" 2>/dev/null || true
  wait "${PIDS[$1]}" 2>/dev/null || true
}

# --- a cluster ---------------------------------------------------------------------------------------------------

# free_ports N: the first of N neighbours that nobody listens on, below the range that outgoing connections use.
free_ports() {
  local try base port
  for ((try = 0; try < 50; try++)); do
    base=$((28000 + (RANDOM % 460) * 10))
    for ((port = base; port < base + $1; port++)); do
      ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || continue 2
    done
    echo "$base"
    return
  done
  die "no $1 free neighbouring ports between 28000 and 32600"
}

# start_cluster DIR BROKERS PORT
start_cluster() {
  local dir=$1 brokers=$2 port=$3 i since cluster
  cluster=$(new_id)
  since=$(date +%s)
  for ((i = 1; i <= brokers; i++)); do
    new_broker "$dir" "$i" "$brokers" "$port" "$cluster"
    start_broker "$dir" "$i"
  done
  for ((i = 1; i <= brokers; i++)); do
    await_broker "$dir" "$i" "$since" || return 1
  done
}

# addresses PORT BROKERS [HOST]: host:port,...
addresses() {
  local all="" i
  for ((i = 0; i < $2; i++)); do all+=${all:+,}${3:-127.0.0.1}:$(($1 + i)); done
  echo "$all"
}

# Of `supervise`. Whoever closes stdin may send a signal too: it must not end the cleaning up half way.
clean_up() {
  trap '' INT TERM HUP
  local broker
  for broker in "${!PIDS[@]}"; do stop_broker "$broker" KILL; done
  rm -rf "$DIR"
}

# start_again DIR "BROKER...": brokers that were stopped or killed, all at once.
start_again() {
  local broker since failed="" earlier=()
  since=$(date +%s)
  for broker in $2; do
    earlier[broker]=$(grep -c 'Kafka Server started' "$1/broker-$broker.log")
    start_broker "$1" "$broker"
  done
  for broker in $2; do
    await_broker "$1" "$broker" "$since" "${earlier[broker]}" || failed=$broker
  done
  if [ -z "$failed" ]; then echo "done $2"; else echo "failed $failed"; fi
}

# Speaks with the test harness, line by line. Out: `ready BOOTSTRAP SASL_BOOTSTRAP FOLDER [SSL SASL_SSL]`, then an answer to each
# request. In: `stop I` (in good order), `kill I`, `start I...` (together, since a quorum needs two), `pause I`, `resume I`; answers
# `done I...` or `failed I`. At the end of stdin, which comes even if the harness is killed, the brokers are killed and their data removed; should this shell be killed itself,
# the kernel kills the brokers.
supervise() {
  local brokers=$1 port try verb broker
  DIR=$(mktemp -d "${TMPDIR:-/tmp}/partner-zones-kafka.XXXXXX")
  trap clean_up EXIT
  trap 'clean_up; exit 1' INT TERM HUP
  for try in 1 2 3; do
    port=$(free_ports $(((${KAFKA_TLS:+2 +} 3) * brokers))) || exit 1
    start_cluster "$DIR" "$brokers" "$port" && break
    # Another process can have taken a port in between; anything else fails again.
    [ "$try" -lt 3 ] || { tail -n 15 "$DIR"/broker-*.log >&2; die "Kafka did not start (its log is above)"; }
    for broker in "${!PIDS[@]}"; do stop_broker "$broker" KILL; done
    rm -rf "${DIR:?}"/*
  done
  local secured=""
  [ -z "${KAFKA_TLS:-}" ] ||
    secured=" $(addresses $((port + 3 * brokers)) "$brokers") $(addresses $((port + 4 * brokers)) "$brokers")"
  echo "ready $(addresses "$port" "$brokers") $(addresses $((port + brokers)) "$brokers" "${KAFKA_SASL_HOST:-${KAFKA_SASL_LISTEN:-}}") $DIR$secured"
  while read -r verb broker; do
    case $verb in
      stop) stop_broker "$broker" TERM && echo "done $broker" ;;
      kill) stop_broker "$broker" KILL && echo "done $broker" ;;
      pause) kill -STOP "${PIDS[broker]}" && echo "done $broker" ;;
      resume) kill -CONT "${PIDS[broker]}" && echo "done $broker" ;;
      start) start_again "$DIR" "$broker" ;;
      *) die "unknown request: $verb" ;;
    esac
  done
}

# --- for developers ----------------------------------------------------------------------------------------------

up() {
  local brokers=$1 port=${KAFKA_PORT:-29092} i
  [ -e "$UP_DIR" ] && die "Kafka is up already (or was not taken down): make kafka-down"
  for ((i = 0; i < 3 * brokers; i++)); do
    ! (exec 3<>"/dev/tcp/127.0.0.1/$((port + i))") 2>/dev/null || die "port $((port + i)) is taken: set KAFKA_PORT to another first port"
  done
  mkdir -p "$UP_DIR"
  if ! start_cluster "$UP_DIR" "$brokers" "$port"; then
    tail -n 15 "$UP_DIR"/broker-*.log >&2
    down
    die "Kafka did not start (its log is above)"
  fi
  echo "Kafka $VERSION is up with $brokers broker(s); stop it with: make kafka-down"
  echo "plain text (super user):  $(addresses "$port" "$brokers")"
  echo "SASL PLAIN and SCRAM:     $(addresses $((port + brokers)) "$brokers")"
  echo "  users: admin/admin-secret (super user), gateway/gateway-secret (no rights yet)"
  echo "logs: $UP_DIR/broker-*.log"
}

down() {
  local file pid tries=0
  for file in "$UP_DIR"/broker-*.pid; do
    [ -e "$file" ] && is_ours "$(cat "$file")" && kill -TERM "$(cat "$file")"
  done
  for file in "$UP_DIR"/broker-*.pid; do
    [ -e "$file" ] || continue
    pid=$(cat "$file")
    # A broker that has lost its quorum never finishes a clean stop.
    while is_ours "$pid" && [ $((tries++)) -lt 50 ]; do sleep 0.1; done
    is_ours "$pid" && kill -KILL "$pid"
  done
  rm -rf "$UP_DIR"
}

# is_ours PID: a number in an old file may belong to somebody else by now.
is_ours() { { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null | grep -qF "kafka.Kafka $UP_DIR/"; }

brokers_argument() { [[ ${1:-3} =~ ^[13]$ ]] && echo "${1:-3}" || die "the number of brokers is 1 or 3"; }

case ${1:-} in
  prepare) prepare ;;
  up) n=$(brokers_argument "${2:-}"); prepare; up "$n" ;;
  down) down ;;
  supervise) n=$(brokers_argument "${2:-}"); prepare; supervise "$n" ;;
  tool)
    prepare_tools
    class=${2:?CLASS is missing}
    case $class in *.*) ;; *) class=org.apache.kafka.tools.$class ;; esac
    exec java -Xmx128m "${QUICK_JVM[@]}" "-XX:SharedArchiveFile=$TOOLS_DIR/classes.jsa" -cp "$(jars "$TOOLS_DIR/lib")" "$class" "${@:3}"
    ;;
  *) die "usage: kafka.sh prepare | up [N] | down | supervise [N] | tool CLASS ..." ;;
esac
