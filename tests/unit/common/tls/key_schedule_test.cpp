#include "common/tls/key_schedule.hpp"

#include <gtest/gtest.h>

#include <set>
#include <type_traits>

#include "tests/unit/common/tls/test_bytes.hpp"

namespace tunnel::tls {
namespace {

using test::counting;

Secret data_key() {
    return Secret(BytesView(counting(session_data_key_size)));
}
Bytes bytes_of(BytesView view) {
    return {view.begin(), view.end()};
}
StreamNonce nonce(Byte first) {
    StreamNonce out;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<Byte>(first + i);
    return out;
}

// The vectors were computed with Python's hmac from the header's table. A change here makes two releases
// unable to talk.
TEST(KeySchedule, TicketKeysFixedVector) {
    KeyChain chain(data_key());
    const char* const expected[] = {"32f5d5ea75de9af3c072ba6878d8b4dcc4395977b2d77996937d5615ab6170d8",
                                    "0b07f0ca053f8531f7b0c2d015036112cd163f4a6e87c669aaddd440c35d4242",
                                    "b7e07037fd427a70cf144e544a70251b7d8bad9e786d88c5d23086fcbf0ec008"};
    for (std::uint64_t number = 1; number <= 3; ++number) {
        const TicketKey ticket = chain.next();
        EXPECT_EQ(ticket.number.value, number);
        EXPECT_EQ(hex_encode(ticket.key.reveal()), expected[number - 1]);
    }
}

TEST(KeySchedule, NextTicketKeysFixedVector) {
    const TicketKey ticket = KeyChain(data_key()).next();
    const Secret second = next_ticket_key(ticket.key, ticket.number);
    EXPECT_EQ(hex_encode(second.reveal()),
              "ef0b47169faf458554448bc6b2a2a3309a9ceb43f61aaa8ddd58aa24022dbd69");
    const Secret third = next_ticket_key(second, ticket.number);
    EXPECT_EQ(hex_encode(third.reveal()), "d48d5158449f67890bc1b3018d7b5d7a0b7941ee539edf244b18508281646d0d");
}

TEST(KeySchedule, PrefaceMacFixedVector) {
    const TicketKey ticket = KeyChain(data_key()).next();
    EXPECT_EQ(hex_encode(preface_mac(ticket.key, view_of("preface bytes"))),
              "13dc3189458fb60d1f5db437cc28a021");
}

TEST(KeySchedule, StreamKeysFixedVector) {
    const TicketKey ticket = KeyChain(data_key()).next();
    const StreamKeys keys =
        derive_stream_keys(Cipher::aes_128_gcm, ticket.key, ticket.number, nonce(0x10), nonce(0xa0));
    EXPECT_EQ(hex_encode(keys.to_client.key()), "97d9cad9cb41cc1716d0bfef511bc81b");
    EXPECT_EQ(hex_encode(keys.to_client.iv()), "98d8a15f");
    EXPECT_EQ(hex_encode(keys.to_server.key()), "119c507d6a1c50eff0be49212933d267");
    EXPECT_EQ(hex_encode(keys.to_server.iv()), "af86b66f");
}

TEST(KeySchedule, StreamKeysOfChaChaFixedVector) {
    const TicketKey ticket = KeyChain(data_key()).next();
    const StreamKeys keys =
        derive_stream_keys(Cipher::chacha20_poly1305, ticket.key, ticket.number, nonce(0x10), nonce(0xa0));
    EXPECT_EQ(hex_encode(keys.to_client.key()),
              "9726594057d814aa0127db657867cde1e6074b9e07310315e0bd12f19dabac6a");
    EXPECT_EQ(hex_encode(keys.to_client.iv()), "6204dcef7a4038647a751896");
    EXPECT_EQ(hex_encode(keys.to_server.key()),
              "4badcb4c81457b43174532f01ac9c9f38f29f5fdd8266ff30a5783a1e147772b");
    EXPECT_EQ(hex_encode(keys.to_server.iv()), "5ef17aff859c9ee4c48427c3");
}

TEST(KeySchedule, CarrierKeysFixedVector) {
    const TicketKey ticket = KeyChain(data_key()).next();
    const CarrierKeys keys = derive_carrier_keys(ticket.key, ticket.number, nonce(0x10), nonce(0xa0));
    EXPECT_EQ(hex_encode(keys.frames.to_client.key()), "01080e2fdcedbf78e727b61feb2bedef");
    EXPECT_EQ(hex_encode(keys.frames.to_client.iv()), "ac7838d1");
    EXPECT_EQ(hex_encode(keys.frames.to_server.key()), "8ea1c2676bec655d5dcbe047a2936973");
    EXPECT_EQ(hex_encode(keys.frames.to_server.iv()), "1c9795f6");
    EXPECT_EQ(hex_encode(keys.packets.to_client.key()), "273be609468df08c496c8f809460da82");
    EXPECT_EQ(hex_encode(keys.packets.to_client.iv()), "f5851feb");
    EXPECT_EQ(hex_encode(keys.packets.to_server.key()), "5e4304d1b383af047f5040a11397f2bf");
    EXPECT_EQ(hex_encode(keys.packets.to_server.iv()), "3717f284");
}

TEST(KeySchedule, BothEndsDeriveTheSameAndNoKeyRepeats) {
    const Secret key = Secret::random(session_data_key_size);
    KeyChain server(key);
    KeyChain client(key);
    std::set<Bytes> seen;
    for (int i = 0; i < 500; ++i) {
        const TicketKey a = server.next();
        const TicketKey b = client.next();
        EXPECT_EQ(a.number, b.number);
        EXPECT_TRUE(a.key == b.key);
        EXPECT_TRUE(seen.emplace(a.key.reveal().begin(), a.key.reveal().end()).second);
    }
}

TEST(KeySchedule, OtherSessionOtherKeys) {
    EXPECT_FALSE(KeyChain(Secret::random(32)).next().key == KeyChain(Secret::random(32)).next().key);
}

TEST(KeySchedule, PrefaceMacCoversEveryByteAndTheKey) {
    KeyChain chain(data_key());
    const TicketKey first = chain.next();
    const TicketKey second = chain.next();
    const Bytes preface = counting(60);
    const PrefaceMac mac = preface_mac(first.key, preface);
    EXPECT_TRUE(check_preface_mac(first.key, preface, mac));
    EXPECT_FALSE(check_preface_mac(second.key, preface, mac));
    EXPECT_FALSE(check_preface_mac(first.key, preface, BytesView(mac).first(15)));
    EXPECT_FALSE(check_preface_mac(first.key, preface, {}));
    for (std::size_t i = 0; i < preface.size(); ++i) {
        Bytes altered = preface;
        altered[i] ^= 0x80;
        EXPECT_FALSE(check_preface_mac(first.key, altered, mac)) << i;
    }
}

TEST(KeySchedule, EveryInputChangesBothDirections) {
    const Secret key = Secret::random(32);
    const auto all = [](const StreamKeys& keys) {
        return std::set<Bytes>{bytes_of(keys.to_client.key()), bytes_of(keys.to_server.key())};
    };
    std::set<Bytes> seen;
    seen.merge(all(derive_stream_keys(Cipher::aes_128_gcm, key, TicketNumber{1}, nonce(1), nonce(2))));
    seen.merge(all(derive_stream_keys(Cipher::aes_128_gcm, key, TicketNumber{2}, nonce(1), nonce(2))));
    seen.merge(all(derive_stream_keys(Cipher::aes_128_gcm, key, TicketNumber{1}, nonce(3), nonce(2))));
    seen.merge(all(derive_stream_keys(Cipher::aes_128_gcm, key, TicketNumber{1}, nonce(1), nonce(3))));
    seen.merge(all(derive_stream_keys(Cipher::aes_128_gcm, key, TicketNumber{1}, nonce(2), nonce(1))));
    seen.merge(all(
        derive_stream_keys(Cipher::aes_128_gcm, Secret::random(32), TicketNumber{1}, nonce(1), nonce(2))));
    seen.merge(all(derive_stream_keys(Cipher::chacha20_poly1305, key, TicketNumber{1}, nonce(1), nonce(2))));
    EXPECT_EQ(seen.size(), 14u);
    // Nor is the one cipher's key the beginning of the other's.
    std::set<Bytes> beginnings;
    for (const auto& found : seen) beginnings.emplace(found.begin(), found.begin() + 16);
    EXPECT_EQ(beginnings.size(), 14u);
}

TEST(KeySchedule, MovedFromKeysAreWiped) {
    static_assert(!std::is_copy_constructible_v<DirectionKeys>);
    for (const auto cipher : {Cipher::aes_128_gcm, Cipher::chacha20_poly1305}) {
        StreamKeys keys = derive_stream_keys(cipher, Secret::random(32), TicketNumber{1}, nonce(1), nonce(2));
        const auto key = bytes_of(keys.to_client.key());
        const DirectionKeys taken = std::move(keys.to_client);
        EXPECT_EQ(bytes_of(taken.key()), key);
        EXPECT_EQ(bytes_of(keys.to_client.key()), Bytes(aead_key_size(cipher)));
        EXPECT_EQ(bytes_of(keys.to_client.iv()), Bytes(iv_size(cipher)));
    }
}

}  // namespace
}  // namespace tunnel::tls
