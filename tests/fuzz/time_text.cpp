// Durations and expiry times as people write them, and base64url.
#include "common/core/bytes.hpp"
#include "common/core/clock.hpp"
#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = text_of({data, size});
    if (const auto duration = parse_duration(text)) {
        fuzz::require(duration->count() >= 0, "a duration goes forward");
        const auto again = parse_duration(format_duration(*duration));
        fuzz::require(again && *again == *duration, "a duration survives a round trip");
    }
    const WallTime now{std::chrono::hours(24 * 20'000)};  // in 2024; the same in every run
    if (const auto expiry = parse_expiry(text, now)) {
        const auto whole = std::chrono::time_point_cast<Seconds>(*expiry);
        if (*expiry >= now) {
            const auto again = parse_expiry(format_utc(*expiry), now);
            fuzz::require(again && *again == whole, "a time survives a round trip to the second");
        }
    }
    Bytes bytes;
    if (base64url_decode(text, bytes))
        fuzz::require(base64url_encode(bytes) == text, "one value has one spelling");
    return 0;
}
