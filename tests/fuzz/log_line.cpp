// Log lines about what a peer sent: one line each, nothing that a terminal or a JSON reader trips over.
#include "common/core/log.hpp"

#include <nlohmann/json.hpp>

#include "tests/fuzz/fuzz_input.hpp"

using namespace tunnel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::FuzzInput input(data, size);
    const auto first = input.take(input.byte());
    const std::string value(text_of(first));
    const std::string other(text_of(input.take_rest()));
    for (const auto format : {LogFormat::text, LogFormat::json}) {
        std::string line;
        const auto log =
            Log::to_function(LogLevel::info, format, [&](std::string_view text) { line = text; });
        log.info("event", {{"value", value}, {"other", other}, {"count", 3}});
        const auto visible = [](unsigned char c) { return c >= ' ' && c < 0x7f; };
        fuzz::require(std::all_of(line.begin(), line.end(), visible), "a log line is printable ASCII");
        if (format == LogFormat::text) continue;
        const auto parsed = nlohmann::json::parse(line, nullptr, false);
        fuzz::require(parsed.is_object() && parsed["count"] == 3 && parsed["value"].is_string(),
                      "a JSON log line is JSON");
    }
    return 0;
}
