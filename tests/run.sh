#!/usr/bin/env bash
# Builds the project and runs every test; ends with ctest's summary, and with an exit code other than 0 when anything
# failed.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tests/run.sh [--asan | --tsan | --io-uring | --dev] [--no-install] [CTEST_OPTION...]

  --asan        with AddressSanitizer and UndefinedBehaviorSanitizer (build/asan)
  --tsan        with ThreadSanitizer (build/tsan)
  --io-uring    with Asio on io_uring(7) (build/io-uring); skips everything where this kernel or container forbids it
  --dev         the debug build (build/dev); without any of these, the release build (build/release)
  --no-install  do not look for missing packages
  --help        this text

Further arguments go to ctest: `tests/run.sh -R e2e_ssh`, `tests/run.sh --asan -L unit`.
CTEST_PARALLEL_LEVEL (default 4) says how many tests run at once.
TEXT
}

preset=release
install=true
while (($#)); do
  case "$1" in
    --asan) preset=asan ;;
    --tsan) preset=tsan ;;
    --io-uring) preset=io-uring ;;
    --dev) preset=dev ;;
    --no-install) install=false ;;
    --help | -h) usage; exit 0 ;;
    *) break ;;
  esac
  shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ $preset == io-uring ]] && ! reason=$(python3 -B tests/io_uring_allowed.py); then
  echo "skipped, no io_uring here: $reason"
  exit 0
fi
if $install; then
  source deploy/packages.sh
  install_packages "${packages_build[@]}" "${packages_test[@]}"
  unpack_guest_kernel build/guest-kernel
fi

# quickstart.sh may have made this folder without the tests.
cmake --preset "$preset" -DTUNNEL_TESTS=ON
cmake --build --preset "$preset"
export CTEST_PARALLEL_LEVEL=${CTEST_PARALLEL_LEVEL:-4}
if ! ctest --test-dir "build/$preset" --output-on-failure "$@"; then
  # Once more in short, after more than a thousand lines.
  python3 -B tests/failed_tests.py "build/$preset"
  echo "Tests failed: their names stand in build/$preset/Testing/Temporary/LastTestsFailed.log"
  exit 1
fi
