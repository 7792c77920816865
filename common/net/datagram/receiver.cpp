#include "common/net/datagram/receiver.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tunnel::net {

namespace {

struct Told {
    IpAddress to;
    std::size_t segment = 0;
};

Told read_control(msghdr& header) {
    Told told;
    for (auto* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level == IPPROTO_UDP && part->cmsg_type == UDP_GRO) {
            int size = 0;
            std::memcpy(&size, CMSG_DATA(part), sizeof size);
            told.segment = static_cast<std::size_t>(std::max(size, 0));
        } else if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
            in_pktinfo info;
            std::memcpy(&info, CMSG_DATA(part), sizeof info);
            told.to.bytes[10] = told.to.bytes[11] = 0xff;
            std::memcpy(&told.to.bytes[12], &info.ipi_addr, 4);
        } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info;
            std::memcpy(&info, CMSG_DATA(part), sizeof info);
            std::memcpy(told.to.bytes.data(), &info.ipi6_addr, 16);
        }
    }
    return told;
}

}  // namespace

DatagramReceiver::DatagramReceiver()
    : memory_(new Byte[batch * buffer_size]), slots_(batch), messages_(batch) {
    datagrams_.reserve(batch);
    for (std::size_t i = 0; i < batch; ++i) {
        auto& slot = slots_[i];
        slot.place = {memory_.get() + i * buffer_size, buffer_size};
        auto& header = messages_[i].msg_hdr;
        header = {};
        header.msg_name = slot.from.data();
        header.msg_iov = &slot.place;
        header.msg_iovlen = 1;
        header.msg_control = slot.control.data();
    }
}

void DatagramReceiver::take(std::size_t index) {
    auto& slot = slots_[index];
    auto& header = messages_[index].msg_hdr;
    if (header.msg_namelen > 0 && header.msg_namelen <= slot.from.capacity())
        slot.from.resize(header.msg_namelen);
    const auto told = read_control(header);
    MutableBytes rest(static_cast<Byte*>(slot.place.iov_base), messages_[index].msg_len);
    const auto segment = told.segment == 0 ? rest.size() : told.segment;
    do {
        const auto one = rest.first(std::min(segment, rest.size()));
        datagrams_.push_back({one, &slot.from, told.to});
        rest = rest.subspan(one.size());
    } while (!rest.empty());
}

DatagramReceiver::Batch DatagramReceiver::receive(int fd) {
    datagrams_.clear();
    for (std::size_t i = 0; i < batch; ++i) {
        auto& header = messages_[i].msg_hdr;
        header.msg_namelen = static_cast<socklen_t>(slots_[i].from.capacity());
        header.msg_controllen = control_size;
    }
    const int count = ::recvmmsg(fd, messages_.data(), batch, MSG_DONTWAIT, nullptr);
    if (count < 0) {
        const int error = errno;
        const bool nothing = error == EAGAIN || error == EWOULDBLOCK;
        return {datagrams_, nothing, nothing || error == EINTR ? 0 : error};
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) take(i);
    return {datagrams_, static_cast<std::size_t>(count) < batch, 0};
}

}  // namespace tunnel::net
