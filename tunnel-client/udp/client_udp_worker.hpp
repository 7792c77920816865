#pragma once
// What the UDP flows of one worker share: memory for many datagrams at once, and the clock that drives
// timeouts. That worker's thread, but for the constructor.

#include <memory>
#include <optional>
#include <unordered_map>

#include "common/core/log.hpp"
#include "common/net/datagram/carrier.hpp"
#include "common/net/datagram/receiver.hpp"
#include "common/net/datagram/sender.hpp"
#include "common/net/worker.hpp"
#include "tunnel-client/services/service_rules.hpp"
#include "tunnel-client/udp/datagram_grant.hpp"

namespace tunnel::client {

class FlowGroup;

class ClientUdpWorker {
  public:
    ClientUdpWorker(net::Worker& worker, const Log& log);
    ClientUdpWorker(const ClientUdpWorker&) = delete;
    ClientUdpWorker& operator=(const ClientUdpWorker&) = delete;
    ~ClientUdpWorker();

    // A data connection whose answer has been sent.
    void adopt(DatagramGrant grant);
    // The rules have changed: groups whose service they name otherwise end, and come again as they are now.
    void check(const ServiceRules& rules);
    // Everything ends.
    void close();

    asio::io_context& context() { return worker_.context(); }
    net::EventSet& events() { return worker_.events(); }
    const Log& log() const { return log_; }
    // Loads libcrypto with the first datagrams' way: some megabytes that no other mapping needs at rest.
    const tls::AeadFactory& ciphers() {
        if (!ciphers_) ciphers_ = tls::AeadFactory::best();
        return *ciphers_;
    }
    net::CarrierBuffers& carrier_buffers() { return *carrier_buffers_; }
    net::DatagramReceiver& receiver() { return *receiver_; }
    // For services' sockets, one after the other.
    net::DatagramSender& sender() { return sender_; }
    bool kernel_cuts() const { return kernel_cuts_; }

  private:
    using Groups = std::unordered_map<std::uint64_t, std::unique_ptr<FlowGroup>>;
    void tick();
    Groups::iterator drop(Groups::iterator at);

    net::Worker& worker_;
    Log log_;
    const bool kernel_cuts_;
    std::optional<tls::AeadFactory> ciphers_;
    std::unique_ptr<net::CarrierBuffers> carrier_buffers_;
    std::unique_ptr<net::DatagramReceiver> receiver_;
    net::DatagramSender sender_;
    Groups groups_;
    asio::steady_timer timer_;
    TimePoint swept_at_{};
    bool closed_ = false;
};

}  // namespace tunnel::client
