#include "tunnel-server/tunnelctl/admin_client.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "common/core/secret.hpp"
#include "common/wire/protobuf.hpp"

namespace tunnel::ctl {

namespace {

constexpr std::size_t frame_header = 4;

// The name of the group that owns the socket; empty when that cannot be found out.
std::string owning_group(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return {};
    std::vector<char> buffer(16'384);
    group entry{};
    group* found = nullptr;
    if (::getgrgid_r(info.st_gid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
        return fmt::format("{}", info.st_gid);
    return found->gr_name;
}

tl::unexpected<Error> connect_error(const std::string& path, int error) {
    switch (error) {
        case ENOENT:
        case ENOTDIR:
        case ECONNREFUSED:
            return fail(
                Errc::unavailable,
                "no tunnel-server answers at {}: is it running? If it runs as another user, use sudo or "
                "--socket PATH",
                path);
        case EACCES:
        case EPERM: {
            const auto group = owning_group(path);
            return fail(Errc::not_allowed, "no permission for {}: run as root or as a member of its group{}",
                        path, group.empty() ? "" : fmt::format(" ({})", group));
        }
        case EAGAIN:
            return fail(Errc::timeout, "the tunnel-server at {} is busy and takes no connection: try again",
                        path);
        default:
            return fail_errno(error, fmt::format("cannot connect to {}", path));
    }
}

// connect(2) on a Unix socket waits for room in the server's backlog as long as SO_SNDTIMEO says; poll(2)
// cannot wait for that.
int connect_within(int fd, const sockaddr_un& address, Millis timeout) {
    const auto seconds = std::chrono::duration_cast<Seconds>(timeout);
    const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(timeout - seconds);
    const timeval limit{seconds.count(), rest.count()};
    if (::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) return errno;
    while (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        if (errno != EINTR) return errno;
    }
    if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return errno;
    return 0;
}

}  // namespace

Result<AdminClient> AdminClient::connect(const std::string& socket_path, Millis timeout) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_path.empty() || socket_path.size() >= sizeof address.sun_path)
        return fail(Errc::invalid, "\"{}\" cannot be a socket's path: it must have 1 to {} bytes",
                    socket_path, sizeof address.sun_path - 1);
    std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
    net::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) return fail_errno(errno, "cannot make a socket");
    if (const int error = connect_within(fd.get(), address, timeout); error != 0)
        return connect_error(socket_path, error);
    return AdminClient(std::move(fd), socket_path, timeout);
}

Status AdminClient::wait_until_ready(short events, TimePoint deadline) const {
    while (true) {
        const auto left = std::chrono::ceil<Millis>(deadline - Clock::now()).count();
        pollfd entry{socket_.get(), events, 0};
        const int ready =
            ::poll(&entry, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000)));
        if (ready > 0) return {};
        if (ready == 0)
            return fail(Errc::timeout, "the tunnel-server at {} did not answer within {}: is it stuck?",
                        path_, format_duration(timeout_));
        if (errno != EINTR) return fail_errno(errno, "poll");
    }
}

Status AdminClient::send_all(BytesView bytes, TimePoint deadline) const {
    while (!bytes.empty()) {
        const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            if (auto ready = wait_until_ready(POLLOUT, deadline); !ready) return ready;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return {};  // the server may have said why before it closed: the read will tell
        } else if (errno != EINTR) {
            return fail_errno(errno, fmt::format("cannot send to {}", path_));
        }
    }
    return {};
}

Status AdminClient::receive_all(MutableBytes bytes, TimePoint deadline) const {
    while (!bytes.empty()) {
        const auto received = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
        if (received > 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(received));
        } else if (received == 0 || errno == ECONNRESET) {
            return fail(Errc::closed,
                        "the tunnel-server at {} closed the connection without an answer: its log says why",
                        path_);
        } else if (errno == EAGAIN) {
            if (auto ready = wait_until_ready(POLLIN, deadline); !ready) return ready;
        } else if (errno != EINTR) {
            return fail_errno(errno, fmt::format("cannot receive from {}", path_));
        }
    }
    return {};
}

Result<proto::AdminResponse> AdminClient::call(const proto::AdminRequest& request) {
    const auto deadline = Clock::now() + timeout_;
    const auto size = request.ByteSizeLong();
    if (size > max_admin_frame)
        return fail(Errc::limit, "the request has {} bytes, more than the {} that fit", size,
                    max_admin_frame);
    Bytes frame(frame_header + size);
    put_be32(MutableBytes(frame).first(frame_header), static_cast<std::uint32_t>(size));
    request.SerializeToArray(frame.data() + frame_header, static_cast<int>(size));
    if (auto sent = send_all(frame, deadline); !sent) return pass(std::move(sent.error()));

    std::array<Byte, frame_header> header{};
    if (auto received = receive_all(header, deadline); !received) return pass(std::move(received.error()));
    const auto length = get_be32(header);
    if (length > max_admin_frame)
        return fail(Errc::protocol,
                    "what answers at {} announces {} bytes, more than the {} an answer may have: is it a "
                    "tunnel-server?",
                    path_, length, max_admin_frame);
    Bytes body(length);
    if (auto received = receive_all(body, deadline); !received) return pass(std::move(received.error()));
    proto::AdminResponse response;
    const bool parsed = wire::parse_message(response, body);
    wipe(body);  // it may hold a join link
    if (!parsed)
        return fail(
            Errc::protocol,
            "what answers at {} sent something that is no admin answer: is it a tunnel-server, and of "
            "this version?",
            path_);
    return response;
}

}  // namespace tunnel::ctl
