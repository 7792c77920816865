#include "common/tls/key_schedule.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>

#include "common/tls/hash.hpp"

namespace tunnel::tls {

namespace {

std::array<Byte, 8> number_bytes(std::uint64_t number) {
    std::array<Byte, 8> out;
    put_be64(out, number);
    return out;
}

Bytes label_with(std::string_view label, std::initializer_list<BytesView> parts) {
    Bytes info(label.begin(), label.end());
    for (const BytesView part : parts) append(info, part);
    return info;
}

DirectionKeys direction_keys(Cipher cipher, const Secret& ticket_key, BytesView info) {
    const Secret material = hkdf_expand(ticket_key.reveal(), info, aead_key_size(cipher) + iv_size(cipher));
    return {cipher, material.reveal()};
}

}  // namespace

KeyChain::KeyChain(const Secret& session_data_key)
    : chain_key_(hkdf_extract(view_of("tunnel v1 chain"), session_data_key.reveal())) {}

TicketKey KeyChain::next() {
    const auto number = number_bytes(++last_);
    TicketKey ticket{TicketNumber{last_},
                     hkdf_expand(chain_key_.reveal(), label_with("tunnel v1 ticket", {number}), digest_size)};
    // Assigning to a Secret wipes what it held.
    chain_key_ = hkdf_expand(chain_key_.reveal(), label_with("tunnel v1 ratchet", {number}), digest_size);
    return ticket;
}

Secret next_ticket_key(const Secret& ticket_key, TicketNumber number) {
    return hkdf_expand(ticket_key.reveal(), label_with("tunnel v1 again", {number_bytes(number.value)}),
                       digest_size);
}

PrefaceMac preface_mac(const Secret& ticket_key, BytesView preface) {
    const Secret key = hkdf_expand(ticket_key.reveal(), view_of("tunnel v1 preface"), digest_size);
    const Digest full = hmac_sha256(key.reveal(), preface);
    PrefaceMac mac;
    std::copy_n(full.begin(), mac.size(), mac.begin());
    return mac;
}

bool check_preface_mac(const Secret& ticket_key, BytesView preface, BytesView mac) {
    return equal_in_constant_time(preface_mac(ticket_key, preface), mac);
}

DirectionKeys::DirectionKeys(Cipher cipher, BytesView key_and_iv) : cipher_(cipher) {
    if (key_and_iv.size() != aead_key_size(cipher) + iv_size(cipher))
        throw std::invalid_argument("keys of another cipher's size");
    std::copy(key_and_iv.begin(), key_and_iv.end(), bytes_.begin());
}

DirectionKeys::DirectionKeys(DirectionKeys&& other) noexcept : cipher_(other.cipher_), bytes_(other.bytes_) {
    wipe(other.bytes_);
}

DirectionKeys& DirectionKeys::operator=(DirectionKeys&& other) noexcept {
    if (this != &other) {
        cipher_ = other.cipher_;
        bytes_ = other.bytes_;
        wipe(other.bytes_);
    }
    return *this;
}

DirectionKeys::~DirectionKeys() {
    wipe(bytes_);
}

StreamKeys derive_stream_keys(Cipher cipher, const Secret& ticket_key, TicketNumber number,
                              const StreamNonce& client_nonce, const StreamNonce& server_nonce) {
    const auto n = number_bytes(number.value);
    const bool aes = cipher == Cipher::aes_128_gcm;
    const std::string_view to_client = aes ? "tunnel v1 to client" : "tunnel v1 chacha20-poly1305 to client";
    const std::string_view to_server = aes ? "tunnel v1 to server" : "tunnel v1 chacha20-poly1305 to server";
    return StreamKeys{
        direction_keys(cipher, ticket_key, label_with(to_client, {n, client_nonce, server_nonce})),
        direction_keys(cipher, ticket_key, label_with(to_server, {n, client_nonce, server_nonce}))};
}

CarrierKeys derive_carrier_keys(const Secret& ticket_key, TicketNumber number,
                                const StreamNonce& client_nonce, const StreamNonce& server_nonce) {
    const auto n = number_bytes(number.value);
    const auto keys = [&](std::string_view label) {
        return direction_keys(Cipher::aes_128_gcm, ticket_key,
                              label_with(label, {n, client_nonce, server_nonce}));
    };
    return CarrierKeys{{keys("tunnel v1 frames to client"), keys("tunnel v1 frames to server")},
                       {keys("tunnel v1 packets to client"), keys("tunnel v1 packets to server")}};
}

}  // namespace tunnel::tls
