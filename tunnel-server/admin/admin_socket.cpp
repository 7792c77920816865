#include "tunnel-server/admin/admin_socket.hpp"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

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

Result<sockaddr_un> socket_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return fail(
            Errc::invalid,
            "the admin socket's path {} is longer than {} bytes: choose a shorter one with admin.socket",
            path, sizeof address.sun_path - 1);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

bool answered(const sockaddr_un& address) {
    const net::UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

Status give_to_group(const std::string& path, const std::string& group) {
    if (group.empty()) return {};
    const auto* entry = ::getgrnam(group.c_str());
    if (entry == nullptr)
        return fail(Errc::invalid,
                    "there is no group \"{}\" on this host: correct admin.group or make the group", group);
    if (::chown(path.c_str(), static_cast<uid_t>(-1), entry->gr_gid) != 0)
        return fail_errno(errno, fmt::format("cannot give {} to the group \"{}\"", path, group));
    return {};
}

}  // namespace

AdminSocket::AdminSocket(const asio::any_io_executor& executor, Log log, Handler handler)
    : executor_(executor),
      log_(std::move(log)),
      handler_(std::move(handler)),
      tasks_(executor, [this](const std::exception& bug) {
          log_.error("bug in the admin API", {{"what", bug.what()}});
      }) {}

AdminSocket::~AdminSocket() {
    if (socket_) ::unlink(path_.c_str());
}

Status AdminSocket::listen(const std::string& path, const std::string& group) {
    const auto address = socket_address(path);
    if (!address) return pass(address.error());
    if (answered(*address))
        return fail(Errc::conflict,
                    "another tunnel-server answers on {}: stop it, or choose another admin.socket", path);
    ::unlink(path.c_str());
    net::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    // Nobody may connect before the mode and the group are right.
    const auto old_mask = ::umask(0177);
    const int bound =
        fd ? ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) : -1;
    const int bind_error = errno;
    ::umask(old_mask);
    if (bound != 0) return fail_errno(bind_error, fmt::format("cannot make the admin socket {}", path));
    path_ = path;
    socket_ = std::make_shared<net::ListenSocket>(std::move(fd));
    if (auto ok = give_to_group(path, group); !ok) return ok;
    if (::chmod(path.c_str(), 0660) != 0)
        return fail_errno(errno, fmt::format("cannot set the mode of {}", path));
    if (::listen(socket_->fd(), 64) != 0) return fail_errno(errno, fmt::format("cannot listen on {}", path));
    tasks_.spawn(accept(socket_));
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
    if (socket_) socket_->close_now();
    tasks_.cancel();
    co_await tasks_.join();
}

}  // namespace tunnel::server
