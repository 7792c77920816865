# The Debian packages that building, testing and measuring need: the one list, read by deploy/quickstart.sh,
# tests/run.sh and the bench. To be sourced by bash.

packages_build=(
  build-essential ccache cmake ninja-build pkg-config
  libasio-dev libcli11-dev libexpected-dev libfmt-dev libmbedtls-dev libprotobuf-dev libspdlog-dev libsqlite3-dev
  libssl-dev libtomlplusplus-dev nlohmann-json3-dev protobuf-compiler
)
packages_demo=(curl python3)
packages_test=(
  libbenchmark-dev libgmock-dev libgtest-dev liburing-dev
  bind9-dnsutils curl dnsdist dnsmasq-base haproxy iperf3 iproute2 microsocks nginx openssh-client openssh-server procps
  python3 qemu-system-x86 redis-server redis-tools strace tinyproxy-bin wireguard-go wireguard-tools
)
packages_bench=(curl haproxy libnginx-mod-stream nginx openssh-client openssh-server openssl python3)
packages_fuzz=(clang libclang-rt-14-dev)
# Unpacked, never installed: the kernel that tests/kernel_tls boots in a virtual machine.
package_guest_kernel=linux-image-cloud-amd64

# install_packages PACKAGE...: installs those that are missing, with sudo when not root; asks nothing and does nothing
# when all are there. apt's lists are refreshed only when they do not know a package or point at a file that is gone.
install_packages() {
  local package missing=() unknown=() as_root=()
  for package in "$@"; do
    [[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0

  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing, and there is no sudo to install them: ${missing[*]}" >&2
      echo "Install them as root: apt-get install ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "installing ${missing[*]}"
  for package in "${missing[@]}"; do
    apt-cache show "$package" >/dev/null 2>&1 || unknown+=("$package")
  done
  ((${#unknown[@]} == 0)) || "${as_root[@]}" apt-get update -q
  install_now "${missing[@]}" || { "${as_root[@]}" apt-get update -q && install_now "${missing[@]}"; }
}

# With the as_root of install_packages. Services that the packages bring (nginx, redis, sshd) are not started.
install_now() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-confold "$@"
}

# unpack_guest_kernel DIR: the files of $package_guest_kernel under DIR/boot and DIR/lib, unless they are there already.
# Without them the tests that need them are skipped, so a failure is told and ends nothing.
unpack_guest_kernel() {
  local folder=$1 scratch
  [[ "$(dpkg --print-architecture 2>/dev/null)" == amd64 && ! -d "$folder" ]] || return 0
  mkdir -p "$(dirname "$folder")"
  scratch=$(mktemp -d "$folder.XXXXXX")
  if download_kernel "$scratch" || { ((EUID == 0)) && apt-get update -q && download_kernel "$scratch"; } &&
    dpkg-deb -x "$scratch"/*.deb "$scratch"; then
    rm "$scratch"/*.deb
    chmod 755 "$scratch"
    mv "$scratch" "$folder"
  else
    rm -rf "$scratch"
    echo "$package_guest_kernel could not be downloaded: the tests of kernel TLS will be skipped" >&2
  fi
}

# The package named is an empty one that depends on the kernel of the day.
download_kernel() {
  local package
  package=$(apt-cache depends "$package_guest_kernel" 2>/dev/null | sed -n 's/^ *Depends: //p') || return 1
  [[ -n "$package" ]] && (cd "$1" && apt-get download -q -o APT::Sandbox::User=root "${package%%$'\n'*}")
}
