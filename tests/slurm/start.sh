#!/usr/bin/env bash
# A real Slurm on this one machine, for tests: munged, slurmctld and two slurmd, started by hand in a directory.
#
#   tests/slurm/start.sh DIRECTORY     needs root and Debian's slurm-wlm and munge; stop.sh DIRECTORY ends it
#
# Memory, CPUs and two GPUs are as the configuration says, not as the machine has them: device files stand in for
# GPUs, which Slurm counts and hands out as real ones.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
directory=$(mkdir -p "$1" && cd "$1" && pwd)
host=$(hostname -s)
config=/etc/slurm/slurm.conf

fail() {
    printf 'slurm: %s\n' "$@" >&2
    exit 1
}

[ "$(id -u)" -eq 0 ] || fail "only root can start it"
# Snakemake's jobs drop SLURM_CONF on their way to srun, which then looks here.
[ -L "$config" ] || [ ! -e "$config" ] || fail "$config is a real one: this machine has a Slurm already"

mkdir -p "$directory"/{munge,state,run,log} "$(dirname "$config")"
chmod 700 "$directory/munge"
(umask 077 && head -c 1024 /dev/urandom >"$directory/munge/key")
for name in slurm gres; do
    sed -e "s#@DIRECTORY@#$directory#g; s#@HOST@#$host#g" "$here/$name.conf.in" >"$directory/$name.conf"
done
ln -sfn "$directory/slurm.conf" "$config"
trap '"$here/stop.sh" "$directory"' ERR

# --force: its directory may be in one that others write to, such as /tmp.
munged --force --key-file "$directory/munge/key" --seed-file "$directory/munge/seed" \
    --socket "$directory/run/munge.socket" --pid-file "$directory/run/munged.pid" \
    --log-file "$directory/log/munged.log"
slurmctld -c -f "$directory/slurm.conf"
for node in one two; do
    slurmd -c -f "$directory/slurm.conf" -N "$node"
done

# Both have forked before they look at their configuration: that they started says nothing.
for _ in $(seq 120); do
    [ "$(timeout 5 sinfo -h -p gpus -o %T:%D 2>/dev/null)" != idle:2 ] || exit 0
    sleep 0.25
done
grep -hE 'fatal|error' "$directory"/log/slurm*.log | tail -n 20 >&2
"$here/stop.sh" "$directory"
fail "did not come up within 30 seconds"
