// Sockets, receiver and sender together: what was sent arrives, with its boundaries and its addresses.

#include "common/net/datagram/udp_socket.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include "common/net/datagram/receiver.hpp"
#include "common/net/datagram/sender.hpp"
#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::net {
namespace {

const udp::endpoint loopback(asio::ip::address_v4::loopback(), 0);

UniqueFd open_one(const udp::endpoint& address = loopback) {
    auto sockets = open_udp_sockets(address, 1);
    EXPECT_TRUE(sockets) << (sockets ? "" : sockets.error().message);
    return std::move(sockets->front());
}

struct Got {
    Bytes bytes;
    udp::endpoint from;
    IpAddress to;
};

// As many datagrams as were asked for, or those that came within five seconds.
std::vector<Got> receive(DatagramReceiver& receiver, int fd, std::size_t count) {
    std::vector<Got> out;
    while (out.size() < count) {
        pollfd ready{fd, POLLIN, 0};
        if (::poll(&ready, 1, 5000) != 1) break;
        const auto batch = receiver.receive(fd);
        for (const auto& one : batch.datagrams)
            out.push_back({Bytes(one.bytes.begin(), one.bytes.end()), *one.from, one.to});
    }
    return out;
}

// Every mix of sizes, in one flush.
void exchange(bool kernel_cuts, bool bursts_at_receiver) {
    wire::SeededRandom random;
    const auto receiving = open_one();
    if (bursts_at_receiver) set_receive_bursts(receiving.get());
    const auto sending = open_one();
    const auto to = udp_local_of(receiving.get());
    DatagramSender sender(kernel_cuts);
    DatagramReceiver receiver;
    for (int round = 0; round < 30; ++round) {
        std::vector<Bytes> sent;
        std::size_t size = 1;
        for (std::size_t i = 1 + random.below(100); i > 0; --i) {
            if (random.below(4) == 0) size = random.below(random.below(20) == 0 ? 65'508 : 1600);
            sent.push_back(random.bytes(size));
        }
        for (const auto& one : sent) sender.add(one, &to, nullptr);
        const auto outcome = sender.flush(sending.get());
        ASSERT_EQ(outcome.sent, sent.size()) << outcome.error;
        const auto got = receive(receiver, receiving.get(), sent.size());
        ASSERT_EQ(got.size(), sent.size());
        for (std::size_t i = 0; i < sent.size(); ++i) {
            ASSERT_TRUE(got[i].bytes == sent[i]) << i << " seed " << random.seed();
            ASSERT_EQ(got[i].from.port(), udp_local_of(sending.get()).port());
        }
    }
}

TEST(UdpSocket, DatagramsKeepTheirBoundariesOneByOne) {
    exchange(false, false);
}
TEST(UdpSocket, DatagramsKeepTheirBoundariesInBursts) {
    if (!can_send_bursts()) GTEST_SKIP() << "this kernel has no UDP_SEGMENT";
    exchange(true, false);
    exchange(true, true);
}

TEST(UdpSocket, TheWildcardTellsWhichAddressWasAskedAndAnswersFromIt) {
    for (const bool v6 : {false, true}) {
        const asio::ip::address any =
            v6 ? asio::ip::address(asio::ip::address_v6::any()) : asio::ip::address_v4::any();
        const auto server = open_one({any, 0});
        const auto port = udp_local_of(server.get()).port();
        // Connected, so it hears only the address it asked.
        auto visitor = connect_udp({asio::ip::make_address("127.0.0.77"), port});
        ASSERT_TRUE(visitor);
        DatagramSender sender(false);
        DatagramReceiver receiver;
        const Bytes question{1, 2, 3};
        sender.add(question, nullptr, nullptr);
        ASSERT_EQ(sender.flush(visitor->get()).sent, 1U);
        const auto asked = receive(receiver, server.get(), 1);
        ASSERT_EQ(asked.size(), 1U);
        EXPECT_EQ(to_string(asked[0].to), "127.0.0.77");
        sender.add(asked[0].bytes, &asked[0].from, &asked[0].to);
        ASSERT_EQ(sender.flush(server.get()).sent, 1U);
        const auto answer = receive(receiver, visitor->get(), 1);
        ASSERT_EQ(answer.size(), 1U);
        EXPECT_EQ(answer[0].bytes, question);
    }
}

TEST(UdpSocket, APortInUseIsRefusedByName) {
    const auto first = open_one();
    const auto taken = udp_local_of(first.get());
    const auto second = open_udp_sockets(taken, 2);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::conflict);
    EXPECT_NE(second.error().message.find(std::to_string(taken.port()) + "/udp"), std::string::npos)
        << second.error().message;
}

TEST(UdpSocket, PacketsAreSteeredByTheirNumber) {
    constexpr std::size_t sockets = 3;
    auto opened = open_udp_sockets(loopback, sockets);
    ASSERT_TRUE(opened);
    ASSERT_EQ(steer_by_number(opened->front().get(), 4, sockets), 0);
    const auto to = udp_local_of(opened->front().get());
    DatagramSender sender(false);
    DatagramReceiver receiver;
    for (std::uint32_t number = 0; number < 12; ++number) {
        const auto sending = open_one();
        Bytes packet(12);
        put_be32(MutableBytes(packet).subspan(4, 4), number);
        sender.add(packet, &to, nullptr);
        ASSERT_EQ(sender.flush(sending.get()).sent, 1U);
        const auto got = receive(receiver, (*opened)[number % sockets].get(), 1);
        ASSERT_EQ(got.size(), 1U) << number;
        EXPECT_EQ(got[0].bytes, packet);
    }
}

TEST(UdpSocket, WhoIsNotThereIsToldAndTheNextDatagramIsTriedAnyway) {
    udp::endpoint nobody;
    {
        const auto gone = open_one();
        nobody = udp_local_of(gone.get());
    }
    auto socket = connect_udp(nobody);
    ASSERT_TRUE(socket);
    DatagramSender sender(false);
    const Bytes bytes{1};
    sender.add(bytes, nullptr, nullptr);
    EXPECT_EQ(sender.flush(socket->get()).sent, 1U);
    DatagramReceiver receiver;
    pollfd ready{socket->get(), POLLIN, 0};
    ASSERT_EQ(::poll(&ready, 1, 5000), 1);
    EXPECT_EQ(receiver.receive(socket->get()).error, ECONNREFUSED);
    sender.add(bytes, nullptr, nullptr);
    EXPECT_EQ(sender.flush(socket->get()).sent, 1U);
}

}  // namespace
}  // namespace tunnel::net
