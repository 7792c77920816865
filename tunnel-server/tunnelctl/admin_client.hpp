#pragma once
// tunnelctl's end of the server's admin socket (proto/admin.proto says what travels on it). Blocking, for one
// thread. What the server sends is not trusted: its size is checked before anything is allocated for it.

#include <cstdint>
#include <string>

#include "common/core/bytes.hpp"
#include "common/core/clock.hpp"
#include "common/core/result.hpp"
#include "common/net/unique_fd.hpp"
#include "proto/admin.pb.h"

namespace tunnel::ctl {

inline constexpr std::uint32_t max_admin_frame = 4u << 20;

class AdminClient {
  public:
    // `timeout` is for the connect and again for each call. Errors: unavailable (nobody answers there),
    // not_allowed, invalid (no socket can have that path), io; each says what to do.
    static Result<AdminClient> connect(const std::string& socket_path, Millis timeout);

    // Sends one request and waits for its answer, which may be an AdminError. Errors: timeout, closed,
    // protocol, limit, io. After an error the connection is of no more use.
    Result<proto::AdminResponse> call(const proto::AdminRequest& request);

  private:
    AdminClient(net::UniqueFd socket, std::string path, Millis timeout)
        : socket_(std::move(socket)), path_(std::move(path)), timeout_(timeout) {}
    Status wait_until_ready(short events, TimePoint deadline) const;
    Status send_all(BytesView bytes, TimePoint deadline) const;
    Status receive_all(MutableBytes bytes, TimePoint deadline) const;

    net::UniqueFd socket_;
    std::string path_;  // for messages
    Millis timeout_;
};

}  // namespace tunnel::ctl
