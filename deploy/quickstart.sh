#!/usr/bin/env bash
# From a fresh Debian 12 machine to a web page that is reached through the tunnel: installs what is missing, builds a
# release, then runs both ends on this machine and keeps them up until Ctrl-C. Asks nothing; running it again is quick.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: deploy/quickstart.sh [--once] [--no-install]

  --once        show the main job, then end with exit code 0
  --no-install  do not look for missing packages
  --help        this text

TUNNEL_BUILD=FOLDER uses the programs of an existing build instead of building build/release.
TEXT
}

once=false
install=true
for argument in "$@"; do
  case "$argument" in
    --once) once=true ;;
    --no-install) install=false ;;
    --help | -h) usage; exit 0 ;;
    *) echo "quickstart.sh: unknown argument $argument" >&2; usage >&2; exit 2 ;;
  esac
done

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${TUNNEL_BUILD:-$here/build/release}
source "$here/deploy/packages.sh"

if [[ -t 1 ]]; then bold=$'\e[1;34m' plain=$'\e[0m'; else bold='' plain=''; fi
section() { printf '\n%s== %s ==%s\n' "$bold" "$1" "$plain"; }
show() { printf '%s$ %s%s\n' "$bold" "$*" "$plain"; }

folder=
pids=()
clean_up() {
  local status=$?
  trap - EXIT INT TERM
  ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  if ((status != 0)) && [[ -n "$folder" ]]; then
    for log in "$folder"/*.log; do
      [[ -e "$log" ]] || continue
      printf -- '--- %s\n' "${log##*/}" >&2
      tail -n 20 "$log" >&2
    done
  fi
  [[ -z "$folder" ]] || rm -rf "$folder"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# until_true SECONDS WHAT COMMAND...: waits for COMMAND to succeed.
until_true() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= end)); then
      echo "$what did not happen within the time it should take" >&2
      return 1
    fi
    sleep 0.1
  done
}

# start LOG COMMAND...: in the background, ended by clean_up.
start() {
  local log=$1
  shift
  "$@" >"$folder/$log" 2>&1 &
  pids+=($!)
}

if $install; then
  section "Packages"
  if [[ -n "${TUNNEL_BUILD:-}" ]]; then
    install_packages "${packages_demo[@]}"
  else
    install_packages "${packages_build[@]}" "${packages_demo[@]}"
  fi
  echo "everything that is needed is installed"
fi

if [[ -z "${TUNNEL_BUILD:-}" ]]; then
  section "Build"
  # The tests need more packages; a build folder that has them keeps them.
  tests=()
  [[ -e "$build/CMakeCache.txt" ]] || tests=(-DTUNNEL_TESTS=OFF)
  (cd "$here" && cmake --preset release "${tests[@]}")
  cmake --build "$build" --target tunnel-server tunnel-client tunnelctl
fi
PATH=$build/bin:$PATH

folder=$(mktemp -d "${TMPDIR:-/tmp}/tunnel-quickstart-XXXXXX")
server=$folder/public-host
home=$folder/home
mkdir -p "$server" "$home" "$folder/www"

section "The public host: a server"
show tunnel-server init --public-host 127.0.0.1 --listen 127.0.0.1:0
tunnel-server init --public-host 127.0.0.1 --listen 127.0.0.1:0 --dir "$server"
# On this machine only, for as long as the demonstration lasts.
sed -i 's/^bind *=.*/bind = ["127.0.0.1"]/' "$server/server.toml"
show tunnel-server run
start server.log tunnel-server run --dir "$server"
until_true 15 "The server's start" tunnelctl status --dir "$server"
show tunnelctl client add home
link=$(tunnelctl client add home --dir "$server" 2>"$folder/advice")
sed 's|^\(tunnel://[^:]*\):[^@]*@|\1:SECRET@|' <<<"$link"
cat "$folder/advice"

section "At home: a web page, and a client that exposes it"
cat >"$folder/www/index.html" <<'PAGE'
<!doctype html><title>home</title><h1>Hello from home</h1><p>This page came through the tunnel.</p>
PAGE
start web.log python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$folder/www"
until_true 15 "The demo page's start" grep -q 'port [0-9]' "$folder/web.log"
web_port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$folder/web.log" | head -n 1)
show "tunnel-client join <the link>"
tunnel-client join --dir "$home" <<<"$link"
show "tunnel-client expose $web_port --name web"
start client.log tunnel-client expose "$web_port" --name web --dir "$home"
until_true 15 "The public address" grep -q '^web: tcp://' "$folder/client.log"
public=$(sed -n 's|^web: tcp://\([^ ]*\) .*|\1|p' "$folder/client.log" | head -n 1)
grep '^web: tcp://' "$folder/client.log"

section "A visitor of the public host"
show "curl http://$public/"
page=$(curl --silent --show-error --fail --max-time 20 "http://$public/")
echo "$page"
[[ "$page" == *"Hello from home"* ]] || { echo "this is not the page that was exposed" >&2; exit 1; }

section "What the server's admin sees"
for verb in "client list" "mapping list" "session list" status; do
  show "tunnelctl $verb"
  # shellcheck disable=SC2086  # two words on purpose
  tunnelctl $verb --dir "$server"
done

section "It works"
if $once; then
  exit 0
fi
echo "The page is at http://$public/ until you press Ctrl-C."
echo "In another terminal: $build/bin/tunnelctl mapping list --dir $server"
trap 'echo; exit 0' INT
wait -n "${pids[@]}" || true
echo "one of the programs ended by itself" >&2
exit 1
