#include "common/net/kernel_tls.hpp"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "common/core/secret.hpp"
#include "common/tls/record.hpp"

namespace tunnel::net {

namespace {

// linux/socket.h is not for programs, and this C library is older than the option.
constexpr int sol_tls = 282;

using CryptoInfo = tls12_crypto_info_aes_gcm_128;
constexpr auto alert_type = static_cast<Byte>(tls::RecordType::alert);
constexpr auto data_type = static_cast<Byte>(tls::RecordType::application_data);
constexpr Byte warning = 1;
constexpr Byte close_notify = 0;

void wipe_info(CryptoInfo& info) {
    wipe(MutableBytes(reinterpret_cast<Byte*>(&info), sizeof info));
}

bool set_keys(int fd, int direction, const KernelTlsDirection& from) {
    CryptoInfo info{};
    info.info.version = TLS_1_2_VERSION;
    info.info.cipher_type = TLS_CIPHER_AES_GCM_128;
    static_assert(sizeof info.key == tls::aead_key_size(Cipher::aes_128_gcm) &&
                  sizeof info.salt == tls::iv_size(Cipher::aes_128_gcm));
    const auto key = from.keys.key();
    const auto salt = from.keys.iv();
    std::copy(key.begin(), key.end(), info.key);
    std::copy(salt.begin(), salt.end(), info.salt);
    // Our explicit nonces are the sequence numbers.
    put_be64(std::span<Byte, 8>(info.iv), from.sequence);
    put_be64(std::span<Byte, 8>(info.rec_seq), from.sequence);
    const bool ok = ::setsockopt(fd, sol_tls, direction, &info, sizeof info) == 0;
    const int error = errno;
    wipe_info(info);
    errno = error;
    return ok;
}

Result<std::uint64_t> next_record(int fd) {
    CryptoInfo info{};
    info.info.version = TLS_1_2_VERSION;
    info.info.cipher_type = TLS_CIPHER_AES_GCM_128;
    socklen_t size = sizeof info;
    const bool ok = ::getsockopt(fd, sol_tls, TLS_TX, &info, &size) == 0;
    const int error = errno;
    const auto sequence = get_be64(BytesView(info.rec_seq));
    wipe_info(info);  // the kernel gives the key back, too
    if (!ok) return fail_errno(error, "cannot ask kernel TLS for its record number");
    return sequence;
}

// Bytes that TCP's send queue has taken so far, up to a constant of the connection.
Result<std::uint64_t> queued_by_tcp(int fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
        return fail_errno(errno, "cannot ask TCP how much was acknowledged");
    }
    int unacknowledged = 0;
    if (::ioctl(fd, SIOCOUTQ, &unacknowledged) != 0) {
        return fail_errno(errno, "cannot ask TCP how much it still holds");
    }
    return info.tcpi_bytes_acked + static_cast<std::uint64_t>(unacknowledged);
}

// Room for the one control message in use: a record's type.
struct Control {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(Byte))> bytes{};
};

std::optional<Byte> record_type(msghdr& message) {
    for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level == sol_tls && part->cmsg_type == TLS_GET_RECORD_TYPE) return *CMSG_DATA(part);
    }
    return std::nullopt;
}

tl::unexpected<Error> receive_error(int error) {
    switch (error) {
        case EBADMSG:
            return fail(Errc::protocol, "a record was altered on its way, or is not the next one");
        case EMSGSIZE:
        case EINVAL:
            return fail(Errc::protocol, "a record has a length or a version that none of ours has");
        default:
            return fail_errno(error, "the encrypted connection failed");
    }
}

// A write makes one record, or one for each of a pipe's buffers at the very worst.
constexpr std::uint32_t writes_between_checks = 1 << 16;
constexpr std::uint64_t records_between_checks = std::uint64_t{writes_between_checks} * 256;

}  // namespace

Status KernelTlsSocket::take_sealing(const KernelTlsDirection& from, std::uint64_t record_limit) {
    const auto queued = queued_by_tcp(fd_);
    if (!queued) return pass(queued.error());
    if (!set_keys(fd_, TLS_TX, from)) return fail_errno(errno, "kernel TLS does not take the sending keys");
    seals_ = true;
    queued_before_ = *queued;
    first_record_ = from.sequence;
    record_limit_ = record_limit;
    return {};
}

Status KernelTlsSocket::take_opening(const KernelTlsDirection& from) {
    if (!set_keys(fd_, TLS_RX, from)) return fail_errno(errno, "kernel TLS does not take the receiving keys");
    opens_ = true;
    return {};
}

void KernelTlsSocket::count_given(std::size_t bytes) {
    if (!seals_) return;
    given_ += bytes;
    // A limit so near that it might be passed between two checks is looked at each time.
    const bool near = record_limit_ - std::min(record_limit_, first_record_) < 2 * records_between_checks;
    if (!near && ++unchecked_ < writes_between_checks) return;
    unchecked_ = 0;
    const auto record = next_record(fd_);
    const auto margin = near ? 0 : records_between_checks;
    used_up_ = record && *record + margin >= record_limit_;
}

Result<bool> KernelTlsSocket::send_close_notify() {
    std::array<Byte, 2> alert{warning, close_notify};
    iovec content{alert.data(), alert.size()};
    Control control;
    msghdr message{};
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    auto* type = CMSG_FIRSTHDR(&message);
    type->cmsg_level = sol_tls;
    type->cmsg_type = TLS_SET_RECORD_TYPE;
    type->cmsg_len = CMSG_LEN(sizeof(Byte));
    *CMSG_DATA(type) = alert_type;
    const auto sent = ::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(alert.size())) {
        count_given(alert.size());
        return true;
    }
    if (sent >= 0) return fail(Errc::internal, "kernel TLS took {} bytes of a close_notify", sent);
    if (errno == EAGAIN || errno == EINTR) return false;
    return fail_errno(errno, "cannot send close_notify");
}

Result<bool> KernelTlsSocket::all_in_tcp() const {
    const auto queued = queued_by_tcp(fd_);
    if (!queued) return pass(queued.error());
    const auto record = next_record(fd_);
    if (!record) return pass(record.error());
    return *queued - queued_before_ >= given_ + (*record - first_record_) * tls::record_overhead;
}

Result<KernelTlsSocket::Received> KernelTlsSocket::receive(MutableBytes out) {
    iovec content{out.data(), out.size()};
    Control control;
    msghdr message{};
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    const auto got = ::recvmsg(fd_, &message, MSG_DONTWAIT);
    if (got < 0) {
        if (errno == EAGAIN || errno == EINTR) return Received{};
        return receive_error(errno);
    }
    const auto type = record_type(message);
    const auto size = static_cast<std::size_t>(got);
    if (!type) {
        if (size == 0) return fail(Errc::closed, "the data connection ended without close_notify");
        return fail(Errc::internal, "kernel TLS gave {} bytes without their record's type", size);
    }
    if (*type == data_type) return Received{size > 0 ? Kind::data : Kind::nothing, size};
    if (*type != alert_type) return fail(Errc::protocol, "a record of type {} has no place here", *type);
    if (size == 2 && out[0] == warning && out[1] == close_notify) return Received{Kind::close_notify, 0};
    if (size == 2) return fail(Errc::protocol, "the peer sent alert {}", out[1]);
    return fail(Errc::protocol, "the peer sent an alert of {} bytes", size);
}

Result<KernelTlsSocket::Received> KernelTlsSocket::explain(int error, MutableBytes out) {
    if (error == EAGAIN || error == EINTR) return Received{};
    if (error != 0 && error != EINVAL) return receive_error(error);
    const auto got = receive(out);
    // EINVAL is a record that is no data, which receive() finds, or a bad header: that error is told once
    // only, and afterwards there seems to be nothing, for ever.
    if (got && got->kind == Kind::nothing && error == EINVAL) return receive_error(error);
    return got;
}

KernelTls KernelTls::off(std::string why) {
    if (why.empty()) why = "switched off";
    return KernelTls(std::move(why));
}

Result<KernelTlsSocket> KernelTls::attach(int fd) const {
    if (!available()) return fail(Errc::unavailable, "{}", why_not_);
    if (::setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 4) == 0) return KernelTlsSocket(fd);
    if (errno == EEXIST) return fail(Errc::conflict, "kernel TLS has this socket already");
    if (errno == ENOENT)
        return fail(Errc::unavailable, "the kernel has no TLS, or its module is not loaded: modprobe tls");
    return fail_errno(errno, "kernel TLS does not take the socket");
}

}  // namespace tunnel::net
