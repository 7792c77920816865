#include "tunnel-client/data/data_connection.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <optional>

#include "common/net/deadline.hpp"
#include "common/net/dialer.hpp"
#include "common/net/socket.hpp"
#include "common/net/stream_io.hpp"
#include "tunnel-client/ways/passage.hpp"

namespace tunnel::client {

namespace {

constexpr Seconds dial_limit{10};
// From the first byte of a StreamOpen to its last.
constexpr Seconds stream_limit{30};

// With the head: what a visitor says first, where that is a few words.
constexpr std::size_t first_read = 2048;

// What has come on a data connection.
struct Received {
    explicit Received(net::WatchedSocket& on) : socket(on), bytes(first_read) {}
    BytesView view() const { return BytesView(bytes).first(size); }

    net::WatchedSocket& socket;
    Bytes bytes;
    std::size_t size = 0;
    std::optional<net::Deadline> deadline;
};

// Reads until there is that much, and what else there is. What is there already costs no deadline.
net::awaitable<Status> read_up_to(Received& received, std::size_t wanted) {
    auto& [socket, bytes, size, deadline] = received;
    if (bytes.size() < wanted) bytes.resize(wanted);
    while (size < wanted) {
        const auto room = bytes.size() - size;
        const auto n = ::recv(socket.fd(), bytes.data() + size, room, MSG_DONTWAIT);
        if (n == 0) co_return fail(Errc::closed, "the other end closed the connection");
        if (n > 0) {
            size += static_cast<std::size_t>(n);
            if (static_cast<std::size_t>(n) == room) socket.set_may_have_more();
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!deadline)
                deadline.emplace(socket.context().get_executor(), stream_limit,
                                 [&on = socket] { on.cancel(); });
            const bool more = co_await socket.readable();
            if (!more) co_return fail(Errc::timeout, "the server began a stream and did not go on");
        } else if (errno != EINTR) {
            co_return fail_errno(errno, "the connection broke");
        }
    }
    co_return Status();
}

net::awaitable<Result<net::UniqueFd>> dial_server(net::Worker& worker, const DataJob& job) {
    net::Endpoints hop(1, job.first_hop);
    auto fd = co_await net::dial(std::move(hop), dial_limit);
    if (!fd) co_return pass(fd.error());
    if (!job.way->is_plain()) {
        auto through = co_await go(job.way, std::move(*fd), worker.bridges(), job.liveness);
        if (!through) co_return pass(through.error());
        fd = std::move(*through);
    }
    net::prepare_for_relay(fd->get(), job.liveness);
    co_return std::move(*fd);
}

}  // namespace

Bytes make_preface(const DataJob& job, wire::Preface& preface) {
    preface = {job.session, job.ticket.number, {}, !job.way->keeps_half_close()};
    fill_nonce(preface.nonce);
    const auto head = wire::encode_preface(preface);
    Bytes bytes(head.begin(), head.end());
    append(bytes, tls::preface_mac(job.ticket.key, head));
    return bytes;
}

net::awaitable<Result<std::unique_ptr<net::WatchedSocket>>> open_data_connection(net::Worker& worker,
                                                                                 const DataJob& job,
                                                                                 wire::Preface& preface) {
    auto fd = co_await dial_server(worker, job);
    if (!fd) co_return pass(fd.error());
    if (!send_at_once(fd->get(), make_preface(job, preface)))
        co_return fail_errno(errno, "the connection broke");
    auto parked = net::ParkedSocket::add(worker.events(), std::move(*fd));
    if (!parked) co_return fail_errno(errno, "a data connection cannot be watched");
    co_return std::make_unique<net::WatchedSocket>(worker.context(), std::move(*parked),
                                                   net::WatchedSocket::Told{});
}

net::awaitable<Result<OpenedStream>> await_stream(net::Worker& worker,
                                                  std::unique_ptr<net::WatchedSocket> socket,
                                                  const DataJob& job, const wire::Preface& preface) {
    // A data connection that is kept ready waits as long as its server likes; keepalive tells when that is
    // gone.
    const bool came = co_await socket->readable();
    if (!came) co_return fail(Errc::closed, "cancelled");
    Received received(*socket);
    constexpr auto header_end = wire::nonce_size + tls::record_header_size;
    auto ok = co_await read_up_to(received, header_end);
    if (!ok) co_return pass(ok.error());
    wire::Nonce nonce{};
    std::copy_n(received.bytes.begin(), wire::nonce_size, nonce.begin());
    auto keys = tls::derive_stream_keys(job.cipher, job.ticket.key, job.ticket.number, preface.nonce, nonce);
    auto records = net::make_record_layers(worker, std::move(keys.to_server), std::move(keys.to_client));
    const auto size =
        tls::RecordOpener::record_size(received.view().subspan(wire::nonce_size, tls::record_header_size));
    if (!size) co_return pass(size.error());
    ok = co_await read_up_to(received, wire::nonce_size + *size);
    if (!ok) co_return pass(ok.error());
    Bytes plain(*size);
    const auto opened = records.opener.open(received.view().subspan(wire::nonce_size, *size), plain);
    if (!opened) co_return pass(opened.error());
    auto open = wire::decode_stream_open(BytesView(plain).first(opened->size));
    if (!open) co_return pass(open.error());
    std::optional<tls::CarrierKeys> carrier_keys;
    if (open->datagrams)
        carrier_keys = tls::derive_carrier_keys(job.ticket.key, job.ticket.number, preface.nonce, nonce);
    const auto begun = received.view().subspan(wire::nonce_size + *size);
    co_return OpenedStream{std::move(socket), Bytes(begun.begin(), begun.end()), std::move(*open),
                           std::move(records), std::move(carrier_keys)};
}

Result<Bytes> seal_answer(OpenedStream& stream, const wire::StreamAnswer& answer) {
    const auto plain = wire::encode(answer);
    Bytes record(plain.size() + tls::record_overhead);
    const auto sealed = stream.records.sealer.seal(tls::RecordType::application_data, plain, record);
    if (!sealed) return pass(sealed.error());
    record.resize(*sealed);
    return record;
}

bool send_at_once(int fd, BytesView bytes) {
    return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
           static_cast<ssize_t>(bytes.size());
}

}  // namespace tunnel::client
