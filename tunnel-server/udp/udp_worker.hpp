#pragma once
// What the UDP mappings of one worker share: the tunnel port's UDP sockets, the paths of packets, memory for
// many datagrams at once, and the clock that drives timeouts. That worker's thread, but for the constructor.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/core/log.hpp"
#include "common/net/datagram/carrier.hpp"
#include "common/net/datagram/packet_link.hpp"
#include "common/net/datagram/receiver.hpp"
#include "common/net/datagram/sender.hpp"
#include "common/net/worker.hpp"
#include "tunnel-server/mappings/mapping_key.hpp"

namespace tunnel::server {

class Pairing;

// Where a client's packets come from, and by which of our sockets and addresses.
struct PacketPeer {
    std::size_t socket = 0;
    net::udp::endpoint address;
    IpAddress local;
    bool operator==(const PacketPeer&) const = default;
};

class PacketPath {
  public:
    // A packet that names this path; whether it is genuine is not known.
    virtual void on_packet(MutableBytes packet, const PacketPeer& from, TimePoint now) = 0;
    // After the packets that came together; they are gone then.
    virtual void on_packets_end() = 0;
    virtual void tick(TimePoint now) = 0;
    virtual bool busy(TimePoint now) const = 0;

  protected:
    ~PacketPath() = default;
};

// Something that looks after its timeouts about once a second.
class Swept {
  public:
    virtual void sweep(TimePoint now) = 0;

  protected:
    ~Swept() = default;
};

class UdpWorker {
  public:
    // Any thread.
    using Failure = std::function<void(const MappingKey&, const std::string& reason)>;
    struct BadPackets {
        std::atomic<std::uint64_t> count{0};
    };
    UdpWorker(net::Worker& worker, Pairing& pairing, std::size_t workers, Failure on_failure,
              BadPackets& bad);
    UdpWorker(const UdpWorker&) = delete;
    UdpWorker& operator=(const UdpWorker&) = delete;

    // This worker's sockets of the tunnel port, in the order of its addresses.
    void take_packets(std::vector<net::UniqueFd> sockets);
    bool takes_packets() const { return !sockets_.empty(); }
    // A number whose packets the kernel brings to this worker.
    std::uint32_t add_path(PacketPath& path);
    void remove_path(std::uint32_t number);
    // The size of a packet that the system refused for its size, or 0.
    std::size_t send_packets(const PacketPeer& to, const net::PacketBatch& batch);
    void note_bad_packet() { ++bad_.count; }

    void add(Swept& swept) { swept_.push_back(&swept); }
    void remove(Swept& swept) { std::erase(swept_, &swept); }
    // Everything ends; what was added has been removed before.
    void close();

    asio::io_context& context() { return worker_.context(); }
    net::EventSet& events() { return worker_.events(); }
    const Log& log() const { return worker_.log(); }
    Pairing& pairing() { return pairing_; }
    // Loads libcrypto with the first datagrams' way: some megabytes that no other mapping needs at rest.
    const tls::AeadFactory& ciphers() {
        if (!ciphers_) ciphers_ = tls::AeadFactory::best();
        return *ciphers_;
    }
    net::CarrierBuffers& carrier_buffers() { return *carrier_buffers_; }
    net::DatagramReceiver& receiver() { return *receiver_; }
    bool kernel_cuts() const { return kernel_cuts_; }
    void note_failure(const MappingKey& mapping, const std::string& reason) { on_failure_(mapping, reason); }
    // Begins to use memory and the clock; when the first mapping comes.
    void wake_up();

  private:
    struct Socket final : net::EventSet::Handler {
        Socket(UdpWorker& of, std::size_t is, net::UniqueFd owns, bool cuts)
            : worker(of), index(is), fd(std::move(owns)), sender(cuts) {}
        void on_events(std::uint32_t events) override { worker.on_events(*this, events); }
        UdpWorker& worker;
        std::size_t index;
        net::UniqueFd fd;
        net::DatagramSender sender;
    };
    void on_events(Socket& socket, std::uint32_t events);
    void take(const Socket& socket, const net::ReceivedDatagram& datagram, TimePoint now);
    void tick();
    void tick_after(Millis pause);

    net::Worker& worker_;
    Pairing& pairing_;
    const std::size_t workers_;
    Failure on_failure_;
    BadPackets& bad_;
    const bool kernel_cuts_;
    std::optional<tls::AeadFactory> ciphers_;
    std::unique_ptr<net::CarrierBuffers> carrier_buffers_;
    std::unique_ptr<net::DatagramReceiver> receiver_;
    std::vector<std::unique_ptr<Socket>> sockets_;
    std::unordered_map<std::uint32_t, PacketPath*> paths_;
    std::vector<PacketPath*> touched_;
    std::vector<Swept*> swept_;
    asio::steady_timer timer_;
    TimePoint swept_at_{};
    bool ticking_ = false;
    bool closed_ = false;
};

}  // namespace tunnel::server
