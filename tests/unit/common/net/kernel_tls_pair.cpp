#include "tests/unit/common/net/kernel_tls_pair.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "common/core/secret.hpp"

namespace tunnel::net::test {

namespace {

tls::StreamKeys stream_keys() {
    const Bytes ticket(32, 0x42);
    return tls::derive_stream_keys(Cipher::aes_128_gcm, Secret(BytesView(ticket)), TicketNumber{7},
                                   tls::StreamNonce{1}, tls::StreamNonce{2});
}

}  // namespace

std::string role_name(const testing::TestParamInfo<Role>& info) {
    return info.param == Role::server ? "Server" : "Client";
}

const KernelTls& kernel_tls() {
    static const KernelTls support = KernelTls::probe();
    return support;
}

Role other(Role role) {
    return role == Role::server ? Role::client : Role::server;
}

RoleKeys::RoleKeys(Role role) {
    auto keys = stream_keys();
    seal = std::move(role == Role::server ? keys.to_client : keys.to_server);
    open = std::move(role == Role::server ? keys.to_server : keys.to_client);
}

UserEnd::UserEnd(int fd, Role role)
    : fd_(fd),
      sealer_(tls::AeadFactory::best(), RoleKeys(role).seal),
      opener_(tls::AeadFactory::best(), RoleKeys(role).open) {}

Bytes UserEnd::sealed(BytesView plaintext, tls::RecordType type) {
    Bytes record(plaintext.size() + tls::record_overhead);
    EXPECT_TRUE(sealer_.seal(type, plaintext, record));
    return record;
}

void UserEnd::send(BytesView plaintext, tls::RecordType type) {
    send_raw(sealed(plaintext, type));
}

void UserEnd::send_close_notify() {
    Bytes record(tls::RecordSealer::close_notify_size);
    EXPECT_TRUE(sealer_.close_notify(record));
    send_raw(record);
}

void UserEnd::send_raw(BytesView bytes) {
    append(outbox_, bytes);
    push();
}

bool UserEnd::push() {
    if (outbox_.empty()) return false;
    const auto n = ::send(fd_, outbox_.data(), outbox_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) {
        if (errno != EAGAIN) failure_ = "send failed with errno " + std::to_string(errno);
        return false;
    }
    outbox_.erase(outbox_.begin(), outbox_.begin() + n);
    return n > 0;
}

bool UserEnd::pull(std::size_t most) {
    if (end_ || !failure_.empty()) return false;
    Bytes buffer(most);
    const auto n = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0) {
        if (errno != EAGAIN) failure_ = "recv failed with errno " + std::to_string(errno);
        return false;
    }
    if (n == 0) end_ = true;
    append(partial_, BytesView(buffer).first(static_cast<std::size_t>(n)));
    open_complete();
    return true;
}

void UserEnd::open_complete() {
    while (partial_.size() >= tls::record_header_size) {
        const auto size = tls::RecordOpener::record_size(BytesView(partial_).first(tls::record_header_size));
        if (!size) {
            failure_ = size.error().message;
            return;
        }
        if (partial_.size() < *size) return;
        Bytes text(*size);
        const auto opened = opener_.open(BytesView(partial_).first(*size), text);
        if (!opened) {
            failure_ = opened.error().message;
            return;
        }
        if (opened->closed) closed_ = true;
        append(inbox_, BytesView(text).first(opened->size));
        partial_.erase(partial_.begin(), partial_.begin() + static_cast<std::ptrdiff_t>(*size));
    }
}

Bytes UserEnd::receive(std::size_t size) {
    while (inbox_.size() < size && !end_ && !closed_ && failure_.empty() && wait_for(fd_, POLLIN)) pull();
    return take();
}

void UserEnd::receive_close_notify() {
    EXPECT_TRUE(receive(1).empty());
    EXPECT_TRUE(closed_) << failure_;
}

std::optional<KernelTlsSocket> hand_over(int fd, const KernelTlsDirection& seal,
                                         const KernelTlsDirection& open) {
    auto socket = kernel_tls().attach(fd);
    EXPECT_TRUE(socket) << socket.error().message;
    if (!socket) return std::nullopt;
    const auto sealing = socket->take_sealing(seal);
    const auto opening = socket->take_opening(open);
    EXPECT_TRUE(sealing && opening);
    return *socket;
}

std::optional<KernelTlsSocket> hand_over(int fd, const RoleKeys& keys) {
    return hand_over(fd, {keys.seal, 0}, {keys.open, 0});
}

bool wait_for(int fd, short events, int patience_ms) {
    pollfd state{fd, events, 0};
    return ::poll(&state, 1, patience_ms) > 0;
}

Result<KernelTlsSocket::Received> receive_soon(int fd, KernelTlsSocket& socket, MutableBytes out) {
    for (;;) {
        const auto got = socket.receive(out);
        // Readiness may be told before the record is whole.
        if (!got || got->kind != KernelTlsSocket::Kind::nothing || !wait_for(fd, POLLIN)) return got;
    }
}

void KernelTlsTest::SetUp() {
    if (!kernel_tls().available()) GTEST_SKIP() << "no kernel TLS: " << kernel_tls().why_not();
}

void KernelTlsTest::take_over() {
    kernel = hand_over(pair.near.get(), RoleKeys(GetParam()));
    ASSERT_TRUE(kernel);
}

}  // namespace tunnel::net::test
