#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "common/core/secret.hpp"
#include "common/net/kernel_tls.hpp"
#include "common/net/unique_fd.hpp"
#include "common/tls/record.hpp"

namespace tunnel::net {

namespace {

constexpr int patience_ms = 2'000;

struct Pair {
    UniqueFd kernel;  // the end that kernel TLS shall take over
    UniqueFd user;
};

bool readable(int fd) {
    pollfd state{fd, POLLIN, 0};
    return ::poll(&state, 1, patience_ms) > 0;
}

Result<Pair> connect_on_loopback() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    Pair pair;
    pair.kernel = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!listener || !pair.kernel || ::bind(listener.get(), name, size) != 0 ||
        ::listen(listener.get(), 1) != 0 || ::getsockname(listener.get(), name, &size) != 0 ||
        ::connect(pair.kernel.get(), name, size) != 0) {
        return fail_errno(errno, "cannot connect on loopback to try kernel TLS");
    }
    pair.user = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!pair.user) return fail_errno(errno, "cannot accept on loopback to try kernel TLS");
    return pair;
}

tls::DirectionKeys random_keys() {
    constexpr auto cipher = Cipher::aes_128_gcm;
    std::array<Byte, tls::aead_key_size(cipher) + tls::iv_size(cipher)> bytes;
    fill_random(bytes);
    return {cipher, bytes};
}

constexpr std::string_view word = "tunnel";

bool kernel_seals(const Pair& pair, tls::RecordOpener& opener) {
    if (::send(pair.kernel.get(), word.data(), word.size(), MSG_DONTWAIT | MSG_NOSIGNAL) !=
        static_cast<ssize_t>(word.size())) {
        return false;
    }
    Bytes record(word.size() + tls::record_overhead);
    Bytes text(word.size());
    if (!readable(pair.user.get()) || ::recv(pair.user.get(), record.data(), record.size(), MSG_DONTWAIT) !=
                                          static_cast<ssize_t>(record.size())) {
        return false;
    }
    return opener.open(record, text).has_value() && text_of(text) == word;
}

bool kernel_opens(const Pair& pair, KernelTlsSocket& socket, tls::RecordSealer& sealer) {
    Bytes record(word.size() + tls::record_overhead);
    Bytes text(64);
    if (!sealer.seal(tls::RecordType::application_data, view_of(word), record) ||
        ::send(pair.user.get(), record.data(), record.size(), MSG_DONTWAIT | MSG_NOSIGNAL) !=
            static_cast<ssize_t>(record.size()) ||
        !readable(pair.kernel.get())) {
        return false;
    }
    const auto got = socket.receive(text);
    return got && got->kind == KernelTlsSocket::Kind::data &&
           text_of(MutableBytes(text).first(got->size)) == word;
}

// Empty when all went well.
std::string try_it(const KernelTls& assumed) {
    const auto pair = connect_on_loopback();
    if (!pair) return pair.error().message;
    const auto out = random_keys();
    const auto in = random_keys();
    auto socket = assumed.attach(pair->kernel.get());
    if (!socket) return std::move(socket.error().message);
    if (auto taken = socket->take_sealing({out, 0}); !taken) return std::move(taken.error().message);
    if (auto taken = socket->take_opening({in, 0}); !taken) return std::move(taken.error().message);
    // The one that needs not be loaded.
    const auto factory = *tls::AeadFactory::of(tls::AeadBackend::mbedtls);
    tls::RecordOpener opener(factory, out);
    tls::RecordSealer sealer(factory, in);
    if (!kernel_seals(*pair, opener)) return "kernel TLS does not seal a record as it should";
    if (!kernel_opens(*pair, *socket, sealer)) return "kernel TLS does not open a record as it should";
    return {};
}

}  // namespace

KernelTls KernelTls::probe() {
    return KernelTls(try_it(KernelTls(std::string())));
}

KernelTls KernelTls::if_wanted(bool wanted, const Log& log) {
    if (!wanted) return off("kernel_tls is off");
    auto found = probe();
    if (found.available())
        log.info("kernel TLS takes bulk transfers");
    else
        log.warn("no kernel TLS", {{"reason", found.why_not()}, {"instead", "this program encrypts"}});
    return found;
}

}  // namespace tunnel::net
