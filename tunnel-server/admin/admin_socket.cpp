#include "tunnel-server/admin/admin_socket.hpp"

#include <grp.h>

#include "common/net/deadline.hpp"
#include "common/net/stream_io.hpp"
#include "common/wire/frame.hpp"
#include "common/wire/protobuf.hpp"

namespace tunnel::server {

namespace {

constexpr std::size_t max_request = 64 * 1024;
// What tunnelctl takes at the most.
constexpr std::size_t max_response = 4 * 1024 * 1024;
constexpr std::size_t max_admin_connections = 64;
constexpr std::size_t read_size = 4096;
// A program that asks nothing for this long is closed.
constexpr Seconds idle_limit{300};

// None for the process's own group.
Result<std::optional<gid_t>> group_of(const std::string& name) {
    if (name.empty()) return std::nullopt;
    const auto* entry = ::getgrnam(name.c_str());
    if (entry == nullptr)
        return fail(Errc::invalid,
                    "there is no group \"{}\" on this host: correct admin.group or make the group", name);
    return entry->gr_gid;
}

}  // namespace

AdminSocket::AdminSocket(const asio::any_io_executor& executor, Log log, Handler handler)
    : executor_(executor),
      log_(std::move(log)),
      handler_(std::move(handler)),
      tasks_(executor, [this](const std::exception& bug) {
          log_.error("bug in the admin API", {{"what", bug.what()}});
      }) {}

Status AdminSocket::listen(const std::string& path, const std::string& group) {
    const auto owner = group_of(group);
    if (!owner) return pass(owner.error());
    auto listener = net::UnixListener::open(path, *owner);
    if (!listener)
        return tl::unexpected(Error{listener.error().code,
                                    fmt::format("admin.socket: {}", listener.error().message),
                                    listener.error().sys_errno});
    listener_ = std::move(*listener);
    tasks_.spawn(accept(listener_->socket()));
    return {};
}

net::awaitable<void> AdminSocket::accept(std::shared_ptr<net::ListenSocket> socket) {
    return net::accept_loop(std::move(socket), net::Accepts::peers, log_, [this](net::Accepted accepted) {
        if (tasks_.size() <= max_admin_connections) tasks_.spawn(serve(std::move(accepted.fd)));
    });
}

net::awaitable<void> AdminSocket::serve(net::UniqueFd fd) {
    net::Descriptor socket(executor_, fd.release());
    wire::FrameReader frames(max_request);
    Bytes buffer(read_size);
    for (;;) {
        const net::Deadline idle(executor_, idle_limit, [&socket] { socket.cancel(); });
        auto frame = frames.next();
        while (frame && !*frame) {
            const auto n = co_await net::read_some(socket, buffer);
            if (!n) co_return;
            frames.feed(BytesView(buffer).first(*n));
            frame = frames.next();
        }
        proto::AdminRequest request;
        proto::AdminResponse response;
        const bool whole = frame && wire::parse_message(request, **frame);
        if (whole) {
            response = co_await handler_(std::move(request));
        } else {
            response.mutable_error()->set_code("invalid");
            response.mutable_error()->set_message(frame ? "the request is no admin request"
                                                        : frame.error().message);
        }
        if (response.ByteSizeLong() > max_response) {
            response.Clear();
            response.mutable_error()->set_code("limit");
            response.mutable_error()->set_message(
                "the answer is too long for one message: ask for less, with --mapping NAME");
        }
        const auto payload = wire::serialize_message(response);
        Bytes out;
        wire::append_frame(out, payload);
        const auto written = co_await net::write_all(socket, out);
        if (!written || !frame) co_return;
    }
}

net::awaitable<void> AdminSocket::stop() {
    if (listener_) listener_->socket()->close_now();
    tasks_.cancel();
    co_await tasks_.join();
}

}  // namespace tunnel::server
