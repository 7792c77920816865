#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tests/bench/load/socket.hpp"

namespace tunnel::bench {

inline constexpr std::size_t kLargestDatagram = 65536;
inline constexpr std::size_t kDatagramBatch = 64;

// recvmmsg(2) and sendmmsg(2) with buffers of their own.
class DatagramBatch {
  public:
    DatagramBatch() : memory_(kDatagramBatch * kLargestDatagram) {
        for (std::size_t i = 0; i < kDatagramBatch; ++i) {
            parts_[i] = {memory_.data() + i * kLargestDatagram, kLargestDatagram};
            auto& header = messages_[i].msg_hdr;
            header.msg_iov = &parts_[i];
            header.msg_iovlen = 1;
            header.msg_name = &addresses_[i];
        }
    }
    std::size_t receive(const Fd& fd) {
        for (std::size_t i = 0; i < kDatagramBatch; ++i) {
            parts_[i].iov_len = kLargestDatagram;
            messages_[i].msg_hdr.msg_namelen = sizeof addresses_[i];
        }
        const int count = ::recvmmsg(fd.get(), messages_.data(), kDatagramBatch, MSG_DONTWAIT, nullptr);
        return count < 0 ? 0 : static_cast<std::size_t>(count);
    }
    // Sends back what was received to where it came from.
    void send_back(const Fd& fd, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) parts_[i].iov_len = messages_[i].msg_len;
        for (std::size_t sent = 0; sent < count;) {
            const int n =
                ::sendmmsg(fd.get(), messages_.data() + sent, static_cast<unsigned>(count - sent), 0);
            sent += n < 0 ? 1 : static_cast<std::size_t>(n);
        }
    }
    std::span<const std::uint8_t> at(std::size_t i) const {
        return {memory_.data() + i * kLargestDatagram, messages_[i].msg_len};
    }
    const sockaddr_storage& from(std::size_t i) const { return addresses_[i]; }

  private:
    std::vector<std::uint8_t> memory_;
    std::array<iovec, kDatagramBatch> parts_{};
    std::array<sockaddr_storage, kDatagramBatch> addresses_{};
    std::array<mmsghdr, kDatagramBatch> messages_{};
};

}  // namespace tunnel::bench
