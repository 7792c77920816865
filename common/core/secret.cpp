#include "common/core/secret.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace tunnel {

void wipe(MutableBytes bytes) {
    if (!bytes.empty()) explicit_bzero(bytes.data(), bytes.size());
}

void wipe(std::string& text) {
    if (!text.empty()) explicit_bzero(text.data(), text.size());
    text.clear();
}

bool equal_in_constant_time(BytesView a, BytesView b) {
    if (a.size() != b.size()) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[i]);
    return difference == 0;
}

void fill_random(MutableBytes out) {
    std::size_t done = 0;
    while (done < out.size()) {
        const auto n = ::getrandom(out.data() + done, out.size() - done, 0);
        if (n < 0 && errno != EINTR) std::abort();
        if (n > 0) done += static_cast<std::size_t>(n);
    }
}

void fill_nonce(MutableBytes out) {
    thread_local std::array<Byte, 512> batch{};
    thread_local std::size_t left = 0;
    if (out.size() > left) {
        if (out.size() > batch.size()) return fill_random(out);
        fill_random(batch);
        left = batch.size();
    }
    left -= out.size();
    const auto taken = MutableBytes(batch).subspan(left, out.size());
    std::copy(taken.begin(), taken.end(), out.begin());
    wipe(taken);
}

std::uint64_t random_u64() {
    std::array<Byte, 8> bytes{};
    fill_random(bytes);
    return get_be64(bytes);
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this != &other) {
        wipe(bytes_);
        bytes_ = std::move(other.bytes_);
        other.bytes_.clear();
    }
    return *this;
}

Secret Secret::random(std::size_t size) {
    Secret secret(size);
    fill_random(secret.reveal_mutable());
    return secret;
}

Result<Secret> Secret::from_base64url(std::string_view text) {
    Secret secret;
    if (!base64url_decode(text, secret.bytes_))
        return fail(Errc::invalid, "the secret is not base64url text");
    return secret;
}

}  // namespace tunnel
