#pragma once
// Either end of a control connection, driven by hand: a tls::Session over a blocking socket, for peers that
// do not play by the rules.

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/config/join_link.hpp"
#include "common/tls/session.hpp"
#include "common/wire/control_messages.hpp"
#include "common/wire/frame.hpp"
#include "common/wire/hello.hpp"
#include "tests/integration/support/peer.hpp"

namespace tunnel::test {

class TlsPeer {
  public:
    // Connects as the link says and shakes hands; throws when that fails.
    static TlsPeer client(const std::string& link);
    // Takes over an accepted socket and shakes hands; throws when that fails.
    static TlsPeer server(net::UniqueFd fd, std::shared_ptr<const tls::ServerContext> context);

    void send(BytesView plain);
    void send_hello(wire::Versions versions = wire::our_versions);
    void send_message(const wire::ControlMessage& message);
    // As clients do that know AES-128-GCM only.
    void log_in(const std::string& link, const std::string& slot = "");
    // What the other end says from now on, until the connection ends or `enough` returns true.
    struct Said {
        std::optional<wire::Versions> hello;
        std::vector<wire::ControlMessage> messages;
        End end = End::timeout;
    };
    Said listen(const std::function<bool(const Said&)>& enough = nullptr);
    tls::Session& session() { return session_; }

  private:
    TlsPeer(Peer peer, tls::Session session);
    bool flush();
    Peer peer_;
    tls::Session session_;
    Bytes plain_;  // until the hello is whole
    bool hello_seen_ = false;
    wire::FrameReader frames_{wire::max_frame_to_client};
};

// The goodbye among the messages, if any.
std::optional<wire::Goodbye> goodbye_of(const TlsPeer::Said& said);

}  // namespace tunnel::test
