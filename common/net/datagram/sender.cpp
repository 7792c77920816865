#include "common/net/datagram/sender.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tunnel::net {

namespace {

constexpr std::size_t most_messages = 1024;  // UIO_MAXIOV, of one sendmmsg(2)

// Appends control messages to a message's buffer.
class ControlWriter {
  public:
    ControlWriter(msghdr& header, void* memory, std::size_t size) : header_(header) {
        header_.msg_control = memory;
        header_.msg_controllen = size;
        std::memset(memory, 0, size);
        next_ = CMSG_FIRSTHDR(&header_);
    }
    ~ControlWriter() {
        header_.msg_controllen = used_;
        if (used_ == 0) header_.msg_control = nullptr;
    }
    ControlWriter(const ControlWriter&) = delete;
    ControlWriter& operator=(const ControlWriter&) = delete;
    template <class Value>
    void put(int level, int type, const Value& value) {
        next_->cmsg_level = level;
        next_->cmsg_type = type;
        next_->cmsg_len = CMSG_LEN(sizeof value);
        std::memcpy(CMSG_DATA(next_), &value, sizeof value);
        used_ += CMSG_SPACE(sizeof value);
        next_ = CMSG_NXTHDR(&header_, next_);
    }

  private:
    msghdr& header_;
    cmsghdr* next_;
    std::size_t used_ = 0;
};

void put_source(ControlWriter& control, const udp::endpoint& to, const IpAddress& from) {
    if (to.address().is_v4()) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, &from.bytes[12], 4);
        return control.put(IPPROTO_IP, IP_PKTINFO, info);
    }
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, from.bytes.data(), 16);
    control.put(IPPROTO_IPV6, IPV6_PKTINFO, info);
}

}  // namespace

void DatagramSender::add(BytesView bytes, const udp::endpoint* to, const IpAddress* from, Bursts bursts) {
    // sendmmsg(2) does not write through this.
    parts_.push_back({const_cast<Byte*>(bytes.data()), bytes.size()});
    if (!bursts_.empty()) {
        auto& last = bursts_.back();
        const bool fits = !last.closed && last.to == to && last.from == from &&
                          bytes.size() <= last.segment && last.parts < most_in_burst &&
                          last.bytes + bytes.size() <= most_bytes && !bytes.empty();
        if (fits) {
            ++last.parts;
            last.bytes += bytes.size();
            last.closed = bytes.size() < last.segment;
            return;
        }
    }
    const bool may_grow = kernel_cuts_ && !bytes.empty() && bursts != Bursts::none &&
                          (bursts == Bursts::any || bytes.size() <= largest_in_burst);
    bursts_.push_back({parts_.size() - 1, 1, bytes.size(), bytes.size(), to, from, !may_grow});
}

void DatagramSender::prepare(std::size_t index, const Burst& burst) {
    auto& header = messages_[index].msg_hdr;
    header = {};
    header.msg_iov = &parts_[burst.first_part];
    header.msg_iovlen = burst.parts;
    if (burst.to != nullptr) {
        header.msg_name = const_cast<sockaddr*>(burst.to->data());
        header.msg_namelen = static_cast<socklen_t>(burst.to->size());
    }
    const bool source = burst.to != nullptr && burst.from != nullptr && *burst.from != IpAddress{};
    if (!source && burst.parts == 1) return;
    ControlWriter control(header, controls_[index].data(), controls_[index].size());
    if (source) put_source(control, *burst.to, *burst.from);
    if (burst.parts > 1) control.put(IPPROTO_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(burst.segment));
}

void DatagramSender::note_failure(const Burst& burst, int error, Outcome& outcome) const {
    outcome.dropped += burst.parts;
    outcome.error = error;
    if (error == EMSGSIZE) outcome.too_big = burst.segment;
}

void DatagramSender::send_apart(int fd, const Burst& burst, Outcome& outcome) {
    for (std::size_t i = 0; i < burst.parts; ++i) {
        const auto& part = parts_[burst.first_part + i];
        const Burst one{burst.first_part + i, 1, part.iov_len, part.iov_len, burst.to, burst.from, true};
        prepare(0, one);
        if (::sendmsg(fd, &messages_[0].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            ++outcome.sent;
        else
            note_failure(one, errno, outcome);
    }
}

DatagramSender::Outcome DatagramSender::flush(int fd) {
    Outcome outcome;
    if (messages_.size() < bursts_.size()) {
        messages_.resize(bursts_.size());
        controls_.resize(bursts_.size());
    }
    // Parts may have moved while they were added, so messages point at them only now.
    for (std::size_t i = 0; i < bursts_.size(); ++i) prepare(i, bursts_[i]);
    bool told = false;
    for (std::size_t at = 0; at < bursts_.size();) {
        const auto count = static_cast<unsigned>(std::min(bursts_.size() - at, most_messages));
        const int sent = ::sendmmsg(fd, &messages_[at], count, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            for (int i = 0; i < sent; ++i) outcome.sent += bursts_[at++].parts;
            continue;
        }
        const int error = errno;
        if (error == EINTR) continue;
        // What became of an earlier datagram; this one has not been tried (udp(7)).
        if (error == ECONNREFUSED && !std::exchange(told, true)) {
            outcome.error = error;
            continue;
        }
        const auto& failed = bursts_[at];
        const bool not_cut = failed.parts > 1 && (error == EINVAL || error == EIO || error == EMSGSIZE);
        if (not_cut) {
            // A way whose MTU is smaller, or a device that cannot sum what it did not cut (udp(7)).
            kernel_cuts_ = kernel_cuts_ && error != EIO;
            const auto burst = failed;
            send_apart(fd, burst, outcome);
            ++at;
            for (std::size_t i = at; i < bursts_.size(); ++i) prepare(i, bursts_[i]);
            continue;
        }
        note_failure(failed, error, outcome);
        ++at;
    }
    bursts_.clear();
    parts_.clear();
    return outcome;
}

}  // namespace tunnel::net
