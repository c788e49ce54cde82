#!/usr/bin/env bash
# Ends what start.sh DIRECTORY started, by process id, and takes its configuration away.
set -uo pipefail
directory=$(cd "$1" && pwd) || exit 1

for file in "$directory"/run/{slurmd-*,slurmctld,munged}.pid; do
    pid=$(cat "$file" 2>/dev/null) || continue
    daemon=${file##*/}
    daemon=${daemon%%[-.]*}
    # The number may be another process's by now.
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$daemon" ] || continue
    kill "$pid"
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
done
[ "$(readlink /etc/slurm/slurm.conf)" != "$directory/slurm.conf" ] || rm /etc/slurm/slurm.conf
