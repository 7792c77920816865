#pragma once
// Secret bytes: they print as ***, compare in constant time and are wiped when they go.

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <string>

#include "common/core/bytes.hpp"
#include "common/core/result.hpp"

namespace tunnel {

// Overwrites memory in a way the compiler does not drop (explicit_bzero(3)).
void wipe(MutableBytes bytes);
void wipe(std::string& text);

// True when both are equal; the time taken depends on the length only.
bool equal_in_constant_time(BytesView a, BytesView b);

// Cryptographically strong bytes from getrandom(2). Ends the program when the kernel has none to give.
void fill_random(MutableBytes out);
// As good, by less of a system call each; but they lay in this thread's memory before, so not for keys.
void fill_nonce(MutableBytes out);
std::uint64_t random_u64();

// Owned secret bytes of any length. Move-only, so that a copy is a visible decision (copy()).
class Secret {
  public:
    Secret() = default;
    explicit Secret(std::size_t size) : bytes_(size) {}
    explicit Secret(BytesView bytes) : bytes_(bytes.begin(), bytes.end()) {}
    Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { wipe(bytes_); }

    static Secret random(std::size_t size);
    // From base64url text; fails with Errc::invalid without quoting the text.
    static Result<Secret> from_base64url(std::string_view text);

    Secret copy() const { return Secret(reveal()); }
    BytesView reveal() const { return bytes_; }
    MutableBytes reveal_mutable() { return bytes_; }
    // The only way to text. The caller owns a secret string from here on.
    std::string reveal_base64url() const { return base64url_encode(bytes_); }
    std::size_t size() const { return bytes_.size(); }
    bool empty() const { return bytes_.empty(); }

    friend bool operator==(const Secret& a, const Secret& b) {
        return equal_in_constant_time(a.bytes_, b.bytes_);
    }

  private:
    Bytes bytes_;
};

}  // namespace tunnel

template <>
struct fmt::formatter<tunnel::Secret> : fmt::formatter<std::string_view> {
    template <class Context>
    auto format(const tunnel::Secret&, Context& context) const {
        return fmt::formatter<std::string_view>::format("***", context);
    }
};
