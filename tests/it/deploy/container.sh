#!/usr/bin/env bash
# container.sh ROOT [SOURCE:TARGET[:rw]]... -- COMMAND...: becomes COMMAND as a container engine would start it with a read-only root:
# these files and no others, the mounts read-only too unless said otherwise, user 65532, no capabilities and no way to them.
# In a mount namespace of its own (`unshare --mount`), as root.
set -euo pipefail
root=$1
shift
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
while [ "$1" != -- ]; do
  IFS=: read -r source target mode <<<"$1"
  mount --bind "$source" "$root$target"
  [ "${mode:-ro}" = rw ] || mount -o remount,bind,ro "$root$target"
  shift
done
shift
# What is left serves to enter, and is gone with the user.
exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid \
  chroot --userspec=65532:65532 "$root" "$@"
