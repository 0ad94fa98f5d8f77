# Sourced by quickstart, check and .ci/run: finds the tools, installs what is missing, and runs stages with quiet logs.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
logs=$root/build/logs
venv=$root/build/venv
jobs=$(nproc 2>/dev/null || echo 2)
mkdir -p "$logs"

readonly kPackages=(
  build-essential cmake ninja-build ccache pkg-config git python3-dev python3-venv
  libmetis-dev libtbb-dev libhdf5-dev libopenblas-dev librandom123-dev libcli11-dev nlohmann-json3-dev pybind11-dev
  libgtest-dev libgmock-dev libbenchmark-dev zlib1g-dev libzip-dev libxxhash-dev
  liburing-dev)

# stage NAME...: the progress line that every step starts with.
stage() {
  current_stage=$*
  printf '==> %s\n' "$*"
}

# fail CODE MESSAGE...
fail() {
  local code=$1
  shift
  printf 'error: %s\n' "$*" >&2
  exit "$code"
}

# run LOG COMMAND...: output goes to build/logs/LOG.log and its tail is shown if the command fails. On a terminal the
# last line of a long step (the builder's counter, say) is shown while it runs.
run() {
  local log=$logs/$1.log rc=0
  shift
  if [[ -t 1 ]]; then
    "$@" >"$log" 2>&1 &
    local pid=$!
    trap 'kill "$pid" 2>/dev/null || true; exit 130' INT TERM
    while kill -0 "$pid" 2>/dev/null; do
      printf '\r\033[K    %.76s' "$(tail -c 300 "$log" | tr '\r' '\n' | tail -n 1)"
      sleep 0.5
    done
    printf '\r\033[K'
    wait "$pid" || rc=$?
    trap - INT TERM
  else
    "$@" >"$log" 2>&1 || rc=$?
  fi
  ((rc == 0)) && return
  printf -- '---- end of %s\n' "${log#"$root"/}" >&2
  tail -n 60 "$log" >&2
  fail 1 "stage failed: $current_stage (exit code $rc, full log in ${log#"$root"/})"
}

is_installed() {
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

has_cmake_3_25() {
  local version
  version=$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p') || return 1
  [[ -n $version && $(printf '%s\n3.25\n' "$version" | sort -V | head -n 1) == 3.25 ]]
}

# has_equivalent PACKAGE: true if what the package is needed for is there already, from wherever it came.
has_equivalent() {
  case $1 in
    build-essential) command -v c++ && command -v make ;;
    cmake) has_cmake_3_25 ;;
    ninja-build) command -v ninja ;;
    ccache) command -v ccache ;;
    pkg-config) command -v pkg-config ;;
    git) command -v git ;;
    *) false ;;
  esac >/dev/null
}

missing_packages() {
  local package
  for package in "${kPackages[@]}"; do
    has_equivalent "$package" || is_installed "$package" || echo "$package"
  done
}

# install_packages: brings the system packages up to what the build needs, or says how and stops with exit code 3.
install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    echo "    this is neither Debian nor Ubuntu, so nothing is installed; needed are: ${kPackages[*]}"
    return
  fi
  local missing as_root=()
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} == 0)) && return
  if [[ $(id -u) != 0 ]]; then
    if ! sudo -n true 2>/dev/null; then
      {
        echo "These packages are missing, and installing them needs root. Please run this line, then start again:"
        echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
      } >&2
      exit 3
    fi
    as_root=(sudo -n)
  fi
  stage "install packages: ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get)
  run apt-update "${apt[@]}" update
  run apt-install "${apt[@]}" install -y --no-install-recommends "${missing[@]}"
}

# make_venv REQUIREMENT...: build/venv with these Python packages in it, and `import kith` finding the release build.
make_venv() {
  local python=/usr/bin/python3 stamp="$venv/.installed"
  [[ -x $python ]] || python=$(command -v python3) || fail 3 "python3 is missing"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail 3 "Python 3.10 or newer is needed"
  if ! "$venv/bin/python" -c '' 2>/dev/null; then
    stage "make a virtual environment in build/venv"
    run venv "$python" -m venv --clear "$venv"
  fi
  local missing=() requirement
  for requirement in "$@"; do
    grep -qxF "$requirement" "$stamp" 2>/dev/null || missing+=("$requirement")
  done
  if ((${#missing[@]} > 0)); then
    stage "install Python packages: ${missing[*]}"
    run "pip-${missing[0]%%[^a-z]*}" "$venv/bin/python" -m pip --disable-pip-version-check install "${missing[@]}"
    printf '%s\n' "${missing[@]}" >>"$stamp"
  fi
  echo "$root/build/release/python" >"$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kith.pth"
}

# configure PRESET [OPTION...]
configure() {
  local preset=$1
  shift
  stage "configure $preset"
  run "configure-$preset" cmake --preset "$preset" -DPython_EXECUTABLE="$venv/bin/python" "$@"
}

# build PRESET [TARGET...]
build() {
  local preset=$1
  shift
  stage "build $preset (${jobs} jobs; the first time takes some minutes)"
  run "build-$preset" cmake --build --preset "$preset" -j "$jobs" ${1:+--target "$@"}
}

# test_preset PRESET: ctest, and its closing lines.
test_preset() {
  stage "ctest $1"
  run "ctest-$1" ctest --preset "$1" -j "$jobs" --no-tests=error
  sed -n '/tests passed/,$p' "$logs/ctest-$1.log"
}
