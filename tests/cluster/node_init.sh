#!/bin/sh
# The first process of a test node, in namespaces of its own. Gives the node its private view of the
# machine, then becomes the program that buries orphans.
# $1: the node's state folder   $2: what to become
set -eu
mount --make-rprivate /

# Everything a node leaves in the usual places stays in its state folder, or vanishes with it.
mkdir -p "$1/var-lib" "$1/var-log" "$1/settings"
mount -t tmpfs tmpfs /run
mount --bind "$1/var-lib" /var/lib
mount --bind "$1/var-log" /var/log

# The node's own network in /sys, with the machine's control groups kept.
mkdir /run/cgroup
mount --rbind /sys/fs/cgroup /run/cgroup
mount -t sysfs sysfs /sys
mount --rbind /run/cgroup /sys/fs/cgroup
umount -l /run/cgroup
rmdir /run/cgroup

# Kernel settings belong to the machine. kubelet insists on six of them: it reads what it wants to
# read, and nothing of the machine changes. What it and kube-proxy set of the network is the node's own.
fixed() {
    echo "$2" > "$state/settings/${1##*/}"
    mount --bind "$state/settings/${1##*/}" "/proc/sys/$1"
}
state=$1
fixed vm/overcommit_memory 1
fixed vm/panic_on_oom 0
fixed kernel/panic 10
fixed kernel/panic_on_oops 1
fixed kernel/keys/root_maxkeys 1000000
fixed kernel/keys/root_maxbytes 25000000

exec "$2"
