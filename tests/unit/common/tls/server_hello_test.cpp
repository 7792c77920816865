#include "common/tls/server_hello.hpp"

#include <gtest/gtest.h>

#include "tests/unit/common/tls/test_bytes.hpp"

namespace tunnel::tls {
namespace {

constexpr std::uint16_t wanted = extended_master_secret_extension;

Bytes hello(BytesView extensions_block) {
    Bytes body{3, 3};
    append(body, test::counting(32));
    append(body, Bytes{4, 1, 2, 3, 4});  // session id
    append(body, Bytes{0xC0, 0x2B, 0});  // cipher suite, compression
    append(body, extensions_block);
    Bytes message{2, 0, 0, static_cast<Byte>(body.size())};
    append(message, body);
    return message;
}
Bytes record(Byte type, BytesView payload) {
    Bytes out{type, 3, 3, static_cast<Byte>(payload.size() >> 8), static_cast<Byte>(payload.size())};
    append(out, payload);
    return out;
}

const Bytes confirmed_block = {0, 9, 0xff, 1, 0, 1, 0, 0, 23, 0, 0};
const Bytes absent_block = {0, 5, 0xff, 1, 0, 1, 0};

TEST(ServerHello, FindsTheExtension) {
    EXPECT_EQ(server_hello_extension(hello(confirmed_block), wanted), HelloVerdict::confirmed);
    EXPECT_EQ(server_hello_extension(hello(absent_block), wanted), HelloVerdict::absent);
    EXPECT_EQ(server_hello_extension(hello(Bytes{0, 0}), wanted), HelloVerdict::absent);
    EXPECT_EQ(server_hello_extension(hello({}), wanted), HelloVerdict::absent) << "no extensions at all";
}

TEST(ServerHello, TheNumberInsideAnotherExtensionDoesNotCount) {
    EXPECT_EQ(server_hello_extension(hello(Bytes{0, 8, 0xff, 1, 0, 4, 0, 23, 0, 0}), wanted),
              HelloVerdict::absent);
}

TEST(ServerHello, AMessageBehindItDoesNotMatter) {
    Bytes message = hello(confirmed_block);
    append(message, Bytes{11, 0, 0, 3, 0, 0, 0});
    EXPECT_EQ(server_hello_extension(message, wanted), HelloVerdict::confirmed);
}

TEST(ServerHello, LengthsThatLieAreUnreadable) {
    EXPECT_EQ(server_hello_extension(hello(Bytes{0, 9, 0xff, 1, 0, 9, 0, 0, 23, 0, 0}), wanted),
              HelloVerdict::unreadable);
    EXPECT_EQ(server_hello_extension(hello(Bytes{0, 8, 0xff, 1, 0, 1, 0, 0, 23, 0, 0}), wanted),
              HelloVerdict::unreadable);
    EXPECT_EQ(server_hello_extension(Bytes{1, 0, 0, 0}, wanted), HelloVerdict::unreadable)
        << "not a ServerHello";
    EXPECT_EQ(server_hello_extension({}, wanted), HelloVerdict::unreadable);
}

TEST(ServerHello, EveryCutIsUnreadable) {
    const Bytes message = hello(confirmed_block);
    for (std::size_t size = 0; size < message.size(); ++size)
        EXPECT_EQ(server_hello_extension(BytesView(message).first(size), wanted), HelloVerdict::unreadable)
            << size;
}

TEST(ServerHello, RandomChangesNeverReadOutside) {
    test::Random random;
    const Bytes message = hello(confirmed_block);
    for (int i = 0; i < 20000; ++i) {
        Bytes altered = message;
        for (std::size_t flips = random.between(1, 4); flips > 0; --flips)
            altered[random.between(0, altered.size() - 1)] = random.bytes(1)[0];
        altered.resize(random.between(1, altered.size()));
        altered.shrink_to_fit();
        EXPECT_NE(server_hello_extension(altered, wanted), HelloVerdict::pending);
    }
}

TEST(ServerHelloWatch, ReadsTheStreamInAnyPieces) {
    Bytes stream = record(21, Bytes{1, 112});  // a warning first
    append(stream, record(22, hello(confirmed_block)));
    append(stream, record(22, Bytes{11, 0, 0, 0}));
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
        ServerHelloWatch watch(wanted);
        EXPECT_EQ(watch.verdict(), HelloVerdict::pending);
        for (BytesView left = stream; !left.empty();) {
            const std::size_t size = std::min(piece, left.size());
            watch.feed(left.first(size));
            left = left.subspan(size);
        }
        EXPECT_EQ(watch.verdict(), HelloVerdict::confirmed) << piece;
    }
}

TEST(ServerHelloWatch, IsPendingUntilTheRecordIsWhole) {
    const Bytes stream = record(22, hello(absent_block));
    ServerHelloWatch watch(wanted);
    watch.feed(BytesView(stream).first(stream.size() - 1));
    EXPECT_EQ(watch.verdict(), HelloVerdict::pending);
    watch.feed(BytesView(stream).last(1));
    EXPECT_EQ(watch.verdict(), HelloVerdict::absent);
}

TEST(ServerHelloWatch, OtherBytesAreUnreadable) {
    for (const Bytes& bytes :
         {Bytes{'H', 'T', 'T', 'P', '/', '1'}, Bytes{22, 3, 3, 0, 0}, Bytes{22, 3, 3, 0x40, 1},
          record(23, Bytes(10)), record(22, Bytes{2, 0, 1, 0, 3, 3})}) {
        ServerHelloWatch watch(wanted);
        watch.feed(bytes);
        EXPECT_EQ(watch.verdict(), HelloVerdict::unreadable) << hex_encode(bytes);
        watch.feed(record(22, hello(confirmed_block)));
        EXPECT_EQ(watch.verdict(), HelloVerdict::unreadable) << "the first verdict stands";
    }
}

}  // namespace
}  // namespace tunnel::tls
