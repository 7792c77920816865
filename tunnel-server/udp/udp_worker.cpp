#include "tunnel-server/udp/udp_worker.hpp"

#include <sys/epoll.h>

#include <algorithm>

#include "common/core/secret.hpp"

namespace tunnel::server {

namespace {

constexpr int batches_of_a_turn = 8;
constexpr Millis busy_tick{100};
constexpr Millis idle_tick{1000};

}  // namespace

UdpWorker::UdpWorker(net::Worker& worker, Pairing& pairing, std::size_t workers, Failure on_failure,
                     BadPackets& bad)
    : worker_(worker),
      pairing_(pairing),
      workers_(workers),
      on_failure_(std::move(on_failure)),
      bad_(bad),
      kernel_cuts_(net::can_send_bursts()),
      timer_(worker.context()) {}

void UdpWorker::take_packets(std::vector<net::UniqueFd> sockets) {
    if (closed_) return;
    wake_up();
    for (auto& fd : sockets) {
        auto socket = std::make_unique<Socket>(*this, sockets_.size(), std::move(fd), kernel_cuts_);
        if (const int error = worker_.events().add(socket->fd.get(), *socket); error != 0) {
            log().warn("packets cannot be received", {{"reason", std::generic_category().message(error)}});
            continue;
        }
        sockets_.push_back(std::move(socket));
    }
}

void UdpWorker::wake_up() {
    if (!receiver_) receiver_ = std::make_unique<net::DatagramReceiver>();
    if (!carrier_buffers_) carrier_buffers_ = std::make_unique<net::CarrierBuffers>();
    if (!ticking_ && !closed_ && !swept_.empty()) tick();
}

std::uint32_t UdpWorker::add_path(PacketPath& path) {
    for (;;) {
        const auto random = static_cast<std::uint32_t>(random_u64());
        const auto number = random - random % static_cast<std::uint32_t>(workers_) + worker_.index();
        if (number == 0 || number < worker_.index() || !paths_.emplace(number, &path).second) continue;
        // A path is busy at first.
        if (ticking_) tick_after(busy_tick);
        return number;
    }
}

void UdpWorker::remove_path(std::uint32_t number) {
    const auto found = paths_.find(number);
    if (found == paths_.end()) return;
    std::erase(touched_, found->second);
    paths_.erase(found);
}

std::size_t UdpWorker::send_packets(const PacketPeer& to, const net::PacketBatch& batch) {
    auto& socket = *sockets_[to.socket];
    BytesView rest(batch.bytes);
    for (const auto size : batch.sizes) {
        socket.sender.add(rest.first(size), &to.address, &to.local, net::DatagramSender::Bursts::any);
        rest = rest.subspan(size);
    }
    return socket.sender.flush(socket.fd.get()).too_big;
}

void UdpWorker::on_events(Socket& socket, std::uint32_t events) {
    if (closed_ || (events & (EPOLLIN | EPOLLERR)) == 0) return;
    const auto now = Clock::now();
    for (int i = 0; i < batches_of_a_turn; ++i) {
        const auto batch = receiver_->receive(socket.fd.get());
        for (const auto& datagram : batch.datagrams) take(socket, datagram, now);
        while (!touched_.empty()) {
            auto* const path = touched_.back();
            touched_.pop_back();
            path->on_packets_end();
        }
        if (batch.emptied || closed_) return;
    }
    worker_.events().again(socket);
}

void UdpWorker::take(const Socket& socket, const net::ReceivedDatagram& datagram, TimePoint now) {
    const auto number = tls::packet_path(datagram.bytes);
    const auto found = number ? paths_.find(*number) : paths_.end();
    if (found == paths_.end()) return note_bad_packet();
    auto* const path = found->second;
    path->on_packet(datagram.bytes, {socket.index, *datagram.from, datagram.to}, now);
    if (std::find(touched_.begin(), touched_.end(), path) == touched_.end()) touched_.push_back(path);
}

void UdpWorker::tick() {
    ticking_ = false;
    if (closed_ || swept_.empty()) return;
    const auto now = Clock::now();
    bool busy = false;
    // Ticks may remove paths.
    std::vector<PacketPath*> paths;
    for (const auto& [number, path] : paths_) paths.push_back(path);
    for (auto* const path : paths) {
        path->tick(now);
        busy = busy || path->busy(now);
    }
    if (now - swept_at_ >= idle_tick) {
        swept_at_ = now;
        for (auto* const swept : std::vector<Swept*>(swept_)) swept->sweep(now);
    }
    ticking_ = true;
    tick_after(busy ? busy_tick : idle_tick);
}

void UdpWorker::tick_after(Millis pause) {
    timer_.expires_after(pause);
    timer_.async_wait([this](const std::error_code& error) {
        if (!error) tick();
    });
}

void UdpWorker::close() {
    closed_ = true;
    timer_.cancel();
    for (auto& socket : sockets_) {
        worker_.events().remove(socket->fd.get());
        socket->fd.reset();
    }
    // Events of this turn may still reach them.
    asio::post(context(), [sockets = std::exchange(sockets_, {})] {});
}

}  // namespace tunnel::server
