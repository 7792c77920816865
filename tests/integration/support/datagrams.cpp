#include "tests/integration/support/datagrams.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace tunnel::test {

namespace {

constexpr int buffer = 4 * 1024 * 1024;
constexpr std::uint32_t first_of_crowd = 0x7f'10'00'00;  // 127.16.0.0

net::udp::endpoint loopback(Port port) {
    return {asio::ip::address_v4::loopback(), port};
}

net::UniqueFd open_on(Port port) {
    auto sockets = net::open_udp_sockets(loopback(port), 1);
    if (!sockets) throw std::runtime_error(sockets.error().message);
    return std::move(sockets->front());
}

net::UniqueFd connect_to(Port port) {
    auto fd = net::connect_udp(loopback(port));
    if (!fd) throw std::runtime_error(fd.error().message);
    net::set_udp_buffers(fd->get(), buffer);
    return std::move(*fd);
}

bool readable(int fd, Millis limit) {
    pollfd state{fd, POLLIN, 0};
    return ::poll(&state, 1, static_cast<int>(limit.count())) == 1;
}

}  // namespace

UdpVisitor::UdpVisitor(Port port) : fd_(connect_to(port)) {}

bool UdpVisitor::send(BytesView bytes) {
    return ::send(fd_.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
}

std::optional<Bytes> UdpVisitor::receive(Millis limit) {
    const auto end = Clock::now() + limit;
    for (auto left = limit; left >= Millis(0);
         left = std::chrono::duration_cast<Millis>(end - Clock::now())) {
        if (!readable(fd_.get(), left)) return std::nullopt;
        Bytes bytes(65'536);
        const auto n = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
        if (n < 0) continue;
        bytes.resize(static_cast<std::size_t>(n));
        return bytes;
    }
    return std::nullopt;
}

std::optional<Bytes> UdpVisitor::ask(BytesView bytes, Millis limit) {
    for (const auto end = Clock::now() + limit; Clock::now() < end;) {
        (void)send(bytes);
        if (auto answer = receive(Millis(300))) return answer;
    }
    return std::nullopt;
}

Port UdpVisitor::port() const {
    return net::udp_local_of(fd_.get()).port();
}

UdpCrowd::UdpCrowd(Port port) : target_(loopback(port)) {
    auto sockets = net::open_udp_sockets({asio::ip::address_v4::any(), 0}, 1);
    if (!sockets) throw std::runtime_error(sockets.error().message);
    fd_ = std::move(sockets->front());
    constexpr int on = 1;
    ::setsockopt(fd_.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    net::set_udp_buffers(fd_.get(), buffer);
}

// ip(7): with IP_PKTINFO the source of what is sent can be chosen, and is told where what comes was sent to.
bool UdpCrowd::send(std::uint32_t member, BytesView bytes) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
    iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_name = target_.data();
    message.msg_namelen = static_cast<socklen_t>(target_.size());
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    auto* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
    in_pktinfo info{};
    info.ipi_spec_dst.s_addr = htonl(first_of_crowd + member);
    std::memcpy(CMSG_DATA(header), &info, sizeof info);
    return ::sendmsg(fd_.get(), &message, 0) == static_cast<ssize_t>(bytes.size());
}

std::optional<UdpCrowd::Heard> UdpCrowd::receive(Millis limit) {
    if (!readable(fd_.get(), limit)) return std::nullopt;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
    Heard heard{0, Bytes(65'536)};
    iovec part{heard.bytes.data(), heard.bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto n = ::recvmsg(fd_.get(), &message, 0);
    const auto* const header = CMSG_FIRSTHDR(&message);
    if (n < 0 || header == nullptr) return std::nullopt;
    in_pktinfo info{};
    std::memcpy(&info, CMSG_DATA(header), sizeof info);
    heard.member = ntohl(info.ipi_addr.s_addr) - first_of_crowd;
    heard.bytes.resize(static_cast<std::size_t>(n));
    return heard;
}

UdpService::UdpService() : UdpService([](BytesView bytes) { return Bytes(bytes.begin(), bytes.end()); }) {}

UdpService::UdpService(Answer answer, Port port)
    : answer_(std::move(answer)),
      fd_(open_on(port)),
      port_(net::udp_local_of(fd_.get()).port()),
      thread_([this] { run(); }) {}

UdpService::~UdpService() {
    ending_ = true;
    thread_.join();
}

std::size_t UdpService::flows() const {
    const std::lock_guard lock(mutex_);
    return seen_.size();
}

void UdpService::run() {
    Bytes bytes(65'536);
    while (!ending_) {
        if (!readable(fd_.get(), Millis(20))) continue;
        net::udp::endpoint from;
        auto size = static_cast<socklen_t>(from.capacity());
        const auto n = ::recvfrom(fd_.get(), bytes.data(), bytes.size(), 0, from.data(), &size);
        if (n < 0) continue;
        {
            const std::lock_guard lock(mutex_);
            seen_.emplace(from.address().to_string(), from.port());
        }
        ++received_;
        const auto answer = answer_(BytesView(bytes).first(static_cast<std::size_t>(n)));
        if (answer) (void)::sendto(fd_.get(), answer->data(), answer->size(), 0, from.data(), size);
    }
}

struct PacketProxy::Client {
    net::udp::endpoint address;
    net::UniqueFd upstream;
    unsigned made_at = 0;
};

PacketProxy::PacketProxy(Port port, Port upstream)
    : fd_(open_on(port)), upstream_(upstream), thread_([this] { run(); }) {}

PacketProxy::~PacketProxy() {
    ending_ = true;
    thread_.join();
}

bool PacketProxy::loses(std::size_t size) {
    if (size > mtu_ || random_() % 1000 < loss_) return true;
    ++passed_;
    largest_ = std::max<std::size_t>(largest_, size);
    return false;
}

void PacketProxy::run() {
    std::map<net::udp::endpoint, Client> clients;
    Bytes bytes(65'536);
    while (!ending_) {
        std::vector<pollfd> sockets{{fd_.get(), POLLIN, 0}};
        std::vector<Client*> order;
        for (auto& [address, client] : clients) {
            sockets.push_back({client.upstream.get(), POLLIN, 0});
            order.push_back(&client);
        }
        if (::poll(sockets.data(), sockets.size(), 20) <= 0) continue;
        for (std::size_t i = 0; i < order.size(); ++i) {
            if ((sockets[i + 1].revents & POLLIN) == 0) continue;
            const auto n = ::recv(order[i]->upstream.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
            if (n < 0 || loses(static_cast<std::size_t>(n))) continue;
            const auto& to = order[i]->address;
            (void)::sendto(fd_.get(), bytes.data(), static_cast<std::size_t>(n), 0, to.data(),
                           static_cast<socklen_t>(to.size()));
        }
        if ((sockets[0].revents & POLLIN) == 0) continue;
        net::udp::endpoint from;
        auto size = static_cast<socklen_t>(from.capacity());
        const auto n = ::recvfrom(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT, from.data(), &size);
        if (n < 0) continue;
        auto& client = clients[from];
        if (!client.upstream || client.made_at != rebinds_) client = {from, connect_to(upstream_), rebinds_};
        if (!loses(static_cast<std::size_t>(n)))
            (void)::send(client.upstream.get(), bytes.data(), static_cast<std::size_t>(n), 0);
    }
}

}  // namespace tunnel::test
