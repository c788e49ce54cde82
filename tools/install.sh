#!/usr/bin/env bash
# Makes .venv and installs what requirements.lock pins, and this package.
#
#   tools/install.sh [auto|cpu|cuda|cu126]
#
# auto: the CUDA build of torch where `nvidia-smi` finds a GPU, else the CPU build and no CUDA package at all.
# cu126: the build for CUDA 12.6, the last one for GPUs of Volta and before, such as V100 (sm_70).
# PYTHON names the interpreter to use, VENV another directory than .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-auto}
venv=${VENV:-.venv}

fail() {
    printf 'install: %s\n' "$@" >&2
    exit 1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
            python=$candidate
            return
        fi
    done
    fail "Python 3.11 to 3.14 is needed; found: $("${PYTHON:-python3}" --version 2>&1 || true)" \
        "on Debian 12 or newer, Ubuntu 24.04 or newer: apt-get install python3 python3-venv g++" \
        "or name one: PYTHON=/path/to/python3.11 make install"
}

# The dense CRF is C++, compiled while the package is installed.
check_system() {
    local missing=()
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    command -v g++ >/dev/null || missing+=(g++)
    [ ${#missing[@]} -eq 0 ] || fail "the system lacks ${missing[*]}; on Debian or Ubuntu:" \
        "    sudo apt-get install ${missing[*]}"
}

say() {
    printf 'install: %s (after %d s)\n' "$1" "$SECONDS"
}

# Bytecode is compiled when a module is first imported: all of torch's here would take 10 s instead of 4.
pip_install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-compile "$@"
}

# A version with === is that very string: never a CPU build (2.13.0+cpu) that pip has at hand.
install_cuda_torch() {
    say "the CUDA build of torch, 3 GB"
    pip_install -c requirements.lock "${torch/==/===}"
}

install_cu126_torch() {
    say "the build of torch for CUDA 12.6, 3 GB"
    pip_install -c requirements.lock --extra-index-url https://download.pytorch.org/whl/cu126 \
        "${torch/==/===}+cu126" "${torchvision/==/===}+cu126"
}

# --no-deps keeps the CUDA packages out that torch's wheels ask for; what torch needs besides is in the lock.
install_cpu_torch() {
    say "the CPU build of torch, no CUDA packages, 200 MB"
    pip_install --quiet --no-index --no-deps "$torch" 2>/dev/null ||
        pip_install --no-deps --index-url https://download.pytorch.org/whl/cpu "$torch" "$torchvision" ||
        fail "no CPU build of $torch could be had: neither from pip's find-links nor from PyTorch's index"
}

case $build in
    auto) if nvidia-smi -L 2>/dev/null | grep GPU >/dev/null; then build=cuda; else build=cpu; fi ;;
    cpu | cuda | cu126) ;;
    *) fail "TORCH=$build: allowed are auto, cpu, cuda, cu126" ;;
esac
find_python
check_system
torch=$(grep '^torch==' requirements.lock)
torchvision=$(grep '^torchvision==' requirements.lock)

say "$("$python" --version) into $venv"
"$venv/bin/python" -c '' 2>/dev/null || "$python" -m venv "$venv"
# The dense CRF compiles on one core, while pip downloads and unpacks on another.
"$python" wsss/crf/build.py >/dev/null & crf=$!
trap 'kill "$crf" 2>/dev/null || true' EXIT
"install_${build}_torch"
say "$(grep -c == requirements.lock) packages of requirements.lock"
pip_install --quiet --no-deps -r requirements.lock
say "the dense CRF, compiled meanwhile, and this package"
wait "$crf"
# -qq: setuptools warns of every editable install.
pip_install --no-deps --no-build-isolation -qq -e .
"$venv/bin/python" -m pip check
say "done"
