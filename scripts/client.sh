#!/usr/bin/env bash
# client.sh java|librdkafka COMMAND ...   runs a client that nobody here wrote; tests/clients/README.md has the commands
# client.sh prepare                       builds both drivers (once; `.cache/clients/`)
. "$(dirname "$0")/lib.sh"

JAVA_DIR=$CACHE/clients/java
VENV=$CACHE/clients/librdkafka
DRIVERS=$ROOT/tests/clients

prepare_java() {
  need_java
  local sources
  mapfile -t sources < <(find "$DRIVERS/java/src" -name '*.java' | LC_ALL=C sort)
  once "$JAVA_DIR.stamp" "$(fingerprint "$DRIVERS/java/pom.xml" "${sources[@]}" <(java -version 2>&1))" build_java
}

build_java() {
  say "building the driver of the Java client (once)"
  rm -rf "$JAVA_DIR"
  maven -f "$DRIVERS/java/pom.xml" "-Ddriver.target=$JAVA_DIR" \
    compile dependency:copy-dependencies -DoutputDirectory="$JAVA_DIR/lib" -DincludeScope=runtime ||
    die "Maven could not build tests/clients/java (see above)"
}

prepare_librdkafka() {
  need python3 "Python 3.9 or newer is needed (Debian: apt-get install python3 python3-venv)"
  once "$VENV.stamp" "$(fingerprint "$DRIVERS/librdkafka/requirements.txt" <(python3 --version))" build_librdkafka
}

build_librdkafka() {
  say "installing librdkafka's Python client (once)"
  rm -rf "$VENV"
  python3 -m venv "$VENV" >&2 || die "python3 cannot make a virtual environment (Debian: apt-get install python3-venv)"
  "$VENV/bin/pip" install --quiet --disable-pip-version-check -r "$DRIVERS/librdkafka/requirements.txt" >&2 ||
    die "pip could not install what tests/clients/librdkafka/requirements.txt names (see above)"
}

case ${1:-} in
  prepare) prepare_java; prepare_librdkafka ;;
  java)
    prepare_java
    exec java -Xmx192m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
      -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$JAVA_DIR/classes:$(jars "$JAVA_DIR/lib")" driver.Driver "${@:2}"
    ;;
  librdkafka)
    prepare_librdkafka
    exec "$VENV/bin/python" "$DRIVERS/librdkafka/driver.py" "${@:2}"
    ;;
  *) die "usage: client.sh prepare | java COMMAND ... | librdkafka COMMAND ..." ;;
esac
