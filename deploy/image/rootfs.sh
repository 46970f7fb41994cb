#!/usr/bin/env bash
# rootfs.sh BINARY FOLDER: the image's files. The binary, the libraries that it loads, the authorities of the public web, a
# user, and `cat`: the first admin key is a file, and there is nothing else to read it with.
#
# Which Debian packages the files are of, with their licences, is left where image scanners look for it.
set -euo pipefail
BINARY=$1
ROOT=$2
ID=65532

# copy FILE: to the same place under the root, and its package among those that the image says it has.
copy() {
  local file=$1 package
  [ -e "$ROOT$file" ] && return 0
  install -D --mode=0755 "$(readlink -f "$file")" "$ROOT$file"
  # A package may call /lib what the linker calls /usr/lib, or the other way round.
  package=$(dpkg-query --search "$file" "/usr$file" "${file#/usr}" 2>/dev/null | sed -n '1s/:.*//p' || true)
  [ -n "$package" ] || { echo "error: $file is of no package" >&2; exit 1; }
  dpkg-query --status "$package" >"$ROOT/var/lib/dpkg/status.d/$package"
  install -D --mode=0644 "/usr/share/doc/$package/copyright" "$ROOT/usr/share/doc/$package/copyright"
}

# libraries FILE: what the dynamic linker loads for it, and the linker itself.
libraries() { ldd "$1" | grep -o '/[^ ]*\.so[^ ]*'; }

umask 022
install -d "$ROOT"/{etc/partner-zones,run/secrets,tmp,usr/bin,var/lib/dpkg/status.d}
chmod 1777 "$ROOT/tmp"
# Without the line numbers of a crash, which are most of it; the names of functions stay.
install --mode=0755 "$BINARY" "$ROOT/usr/bin/reconciler"
strip --strip-debug "$ROOT/usr/bin/reconciler"
copy /bin/cat
for file in "$BINARY" /bin/cat; do
  libraries "$file" | while read -r library; do copy "$library"; done
done
install -D --mode=0644 /etc/ssl/certs/ca-certificates.crt "$ROOT/etc/ssl/certs/ca-certificates.crt"
echo "partner-zones:x:$ID:$ID::/var/lib/partner-zones:/usr/sbin/nologin" >"$ROOT/etc/passwd"
echo "partner-zones:x:$ID:" >"$ROOT/etc/group"
echo "hosts: files dns" >"$ROOT/etc/nsswitch.conf"
# The only folder that is written to, and by controllers alone. A new volume takes its owner from it.
install -d --owner="$ID" --group="$ID" --mode=0700 "$ROOT/var/lib/partner-zones"
