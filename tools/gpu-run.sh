#!/usr/bin/env bash
# On a bare Linux machine with a GPU, in a copy of the checkout with the folder that tools/gpu-bundle.ts makes: unpacks it, lists the GPU, runs
# on it the tests that compare every operation, rule and golden with the reference, and times training steps, beside PyTorch where it is.
#
#     bash tools/gpu-run.sh RESULTS [words for the benchmark]
#
# RESULTS is a folder for devices.txt, tests.txt, bench.txt and bench.json. SACCADE_GPU_BUNDLE names the folder of the bundle (.gpu).
set -uo pipefail
[ $# -ge 1 ] || { echo "usage: bash tools/gpu-run.sh RESULTS [words for the benchmark]" >&2; exit 2; }
mkdir -p "$1" || exit 1
results=$(cd "$1" && pwd)
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
bundle=${SACCADE_GPU_BUNDLE:-.gpu}
file=$bundle/bundle.tar.xz
tar -xJf "$file" || python3 -c "import sys, tarfile; tarfile.open(sys.argv[1]).extractall('.')" "$file" || exit 1

if ! ldconfig -p | grep -q 'libvulkan\.so\.1'; then
  loader=$(mktemp -d)
  for package in "$bundle"/libvulkan1_*.deb; do dpkg-deb -x "$package" "$loader"; done
  LD_LIBRARY_PATH=$(dirname "$(find "$loader" -name libvulkan.so.1 | head -n 1)"):${LD_LIBRARY_PATH:-}
  export LD_LIBRARY_PATH
fi
nvidia=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
if [ -f "$nvidia" ]; then export VK_DRIVER_FILES=${VK_DRIVER_FILES:-$nvidia}; fi
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp} NO_COLOR=1 SACCADE_TEST_GPU=1 SACCADE_REQUIRE_WEBGPU=1
node=node_modules/node/bin/node

failed=0
"$node" dist/cli/main.js devices 2>&1 | tee "$results/devices.txt" || failed=1
"$node" node_modules/vitest/vitest.mjs run tests/engine/webgpu.test.ts tests/engine/conformance.test.ts tests/engine/notes.test.ts \
  tests/rules/goldens.test.ts tests/rules/goldens-rules.test.ts tests/rules/rules.test.ts tests/runs/devices.test.ts \
  >"$results/tests.txt" 2>&1 || failed=1
grep -E '×|FAIL|Tests  ' "$results/tests.txt"
"$node" bench/main.ts --device webgpu --out "$results/bench.json" "$@" 2>&1 | tee "$results/bench.txt" || failed=1
exit "$failed"
