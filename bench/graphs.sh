#!/usr/bin/env bash
# Makes the graphs that the benches' documentation names: bench/graphs.sh [FOLDER] [NAME...]
#
# FOLDER defaults to build/graphs. A graph that is there already is kept. Every one has planted communities of 500
# nodes on average, 85 % of its edges inside a community, and 16 features a node; --edges counts directed edges, so
# an undirected edge counts twice.
#
#   small   200,000 nodes, 10 M directed edges: to try a bench out
#   big   1,000,000 nodes, 50 M directed edges (25 M undirected): the graph of the reported figures
#
# Wanted names follow the folder; without any, both are made. KITH names the command (default build/release/kith).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kith=${KITH:-$root/build/release/kith}
folder=${1:-$root/build/graphs}
(($# > 0)) && shift

# make NAME NODES EDGES COMMUNITIES
make() {
  local file=$folder/$1.kith.h5
  if [[ -e $file ]]; then
    echo "$file: there already"
    return
  fi
  "$kith" generate -o "$file" --nodes "$2" --edges "$3" --communities "$4" --intra 0.85 --features 16 --seed 1
}

mkdir -p "$folder"
(($# > 0)) || set -- small big
for name in "$@"; do
  case $name in
    small) make small 200000 10000000 400 ;;
    big) make big 1000000 50000000 2000 ;;
    *)
      echo "bench/graphs.sh: there is no graph '$name'; there are small and big" >&2
      exit 1
      ;;
  esac
done
