#pragma once
// Somebody on the way between server and client: passes the data connection's bytes on, and in one direction
// does to its records what nobody should.

#include <array>
#include <cstdint>
#include <optional>
#include <random>

#include "common/core/bytes.hpp"
#include "common/net/asio.hpp"
#include "common/net/unique_fd.hpp"

namespace tunnel::net::test {

enum class Mischief {
    none,
    flip_bit,    // anywhere in the record but its length
    drop,        // the record
    duplicate,   // the record
    swap,        // it and the next
    replay,      // the first record in its place
    shorten,     // its last byte goes, and its length says so
    bad_length,  // longer than any record may be
    bad_type,    // a type that is none of ours
    cut,         // ends the stream in the middle of the record, in good TCP order
    cut_before,  // ends it before the record
};
std::string_view to_string(Mischief mischief);

// Finds the records in one direction's bytes and spoils the one of number `target`.
class RecordEditor {
  public:
    RecordEditor(Mischief mischief, std::size_t target, std::uint64_t seed)
        : mischief_(mischief), target_(target), random_(seed) {}
    // What goes on instead of `bytes`.
    Bytes edit(BytesView bytes);
    bool done() const { return done_; }
    bool has_cut() const { return has_cut_; }

  private:
    Bytes spoil(Bytes record);

    Mischief mischief_;
    std::size_t target_;
    std::mt19937_64 random_;
    Bytes buffer_;
    Bytes first_;
    std::optional<Bytes> held_;
    std::size_t number_ = 0;
    bool done_ = false;
    bool has_cut_ = false;
};

class Meddler {
  public:
    // `source` is where the bytes that are edited come from, `target` where they go.
    Meddler(const asio::any_io_executor& executor, UniqueFd source, UniqueFd target, RecordEditor editor);
    // Until both directions have ended or either end broke.
    awaitable<void> run();
    bool did_it() const { return editor_.done(); }

  private:
    enum Way { edited = 0, untouched = 1 };
    awaitable<void> pump(Way way);
    awaitable<bool> pass_on(Descriptor& to, BytesView bytes);
    void reset_both();

    Descriptor source_;
    Descriptor target_;
    RecordEditor editor_;
    bool broken_ = false;
};

}  // namespace tunnel::net::test
