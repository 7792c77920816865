#include "common/core/log.hpp"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

namespace tunnel {

namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
            return spdlog::level::info;
        case LogLevel::warn:
            return spdlog::level::warn;
        case LogLevel::error:
            return spdlog::level::err;
    }
    return spdlog::level::info;
}

std::string_view level_name(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warn:
            return "warn";
        case LogLevel::error:
            return "error";
    }
    return "info";
}

class FunctionSink final : public spdlog::sinks::base_sink<std::mutex> {
  public:
    explicit FunctionSink(std::function<void(std::string_view)> function) : function_(std::move(function)) {}

  private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        function_({message.payload.data(), message.payload.size()});
    }
    void flush_() override {}
    std::function<void(std::string_view)> function_;
};

bool needs_quotes(std::string_view value) {
    if (value.empty()) return true;
    for (const char character : value) {
        const auto c = static_cast<unsigned char>(character);
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) return true;
    }
    return false;
}

std::string json_quoted(std::string_view value) {
    // JSON's escapes are the ones every log reader knows; bytes that are not UTF-8 become U+FFFD, so that a
    // peer cannot put control sequences into an administrator's terminal.
    return nlohmann::json(value).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

// To the second; kept for the next line, for a busy server writes thousands within one.
std::string_view utc_text(std::time_t second) {
    thread_local std::time_t last = -1;
    thread_local std::array<char, 32> text{};
    if (std::exchange(last, second) == second) return text.data();
    std::tm parts{};
    ::gmtime_r(&second, &parts);
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    return text.data();
}

void append_time(std::string& line) {
    const auto now = std::chrono::system_clock::now();
    const auto millis =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    line += utc_text(std::chrono::system_clock::to_time_t(now));
    line += '.';
    for (const auto digit : {millis / 100, millis / 10 % 10, millis % 10})
        line += static_cast<char>('0' + digit);
    line += 'Z';
}

constexpr std::size_t usual_line = 256;

std::string text_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    std::string line;
    line.reserve(usual_line);
    append_time(line);
    const auto name = level_name(level);
    line.append(" ").append(name).append(6 - name.size(), ' ').append(event);
    for (const auto& field : fields) {
        const auto value = field.value();
        line.append(" ").append(field.name).append("=");
        if (needs_quotes(value))
            line += json_quoted(value);
        else
            line += value;
    }
    return line;
}

std::string json_line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    std::string line;
    line.reserve(usual_line);
    line += R"({"time":")";
    append_time(line);
    line.append(R"(","level":")")
        .append(level_name(level))
        .append(R"(","event":)")
        .append(json_quoted(event));
    for (const auto& field : fields) {
        line.append(",").append(json_quoted(field.name)).append(":");
        if (field.number)
            line += field.value();
        else
            line += json_quoted(field.value());
    }
    return line + '}';
}

}  // namespace

struct Log::State {
    explicit State(spdlog::sink_ptr sink) : logger("tunnel", std::move(sink)) { logger.set_pattern("%v"); }
    spdlog::logger logger;
    std::atomic<LogFormat> format{LogFormat::text};
};

Result<LogLevel> parse_log_level(std::string_view text) {
    for (auto level : {LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error}) {
        if (level_name(level) == text) return level;
    }
    return fail(Errc::invalid, "\"{}\" is not a log level: write debug, info, warn or error", text);
}

Result<LogFormat> parse_log_format(std::string_view text) {
    if (text == "text") return LogFormat::text;
    if (text == "json") return LogFormat::json;
    return fail(Errc::invalid, "\"{}\" is not a log format: write text or json", text);
}

Log Log::to_stderr(LogLevel level, LogFormat format) {
    Log log(std::make_shared<State>(std::make_shared<spdlog::sinks::stderr_sink_mt>()));
    log.state_->logger.flush_on(spdlog::level::trace);
    log.configure(level, format);
    return log;
}

Log Log::none() {
    Log log(std::make_shared<State>(std::make_shared<spdlog::sinks::null_sink_mt>()));
    log.state_->logger.set_level(spdlog::level::off);
    return log;
}

Log Log::to_function(LogLevel level, LogFormat format, std::function<void(std::string_view)> sink) {
    Log log(std::make_shared<State>(std::make_shared<FunctionSink>(std::move(sink))));
    log.configure(level, format);
    return log;
}

void Log::configure(LogLevel level, LogFormat format) const {
    state_->logger.set_level(spdlog_level(level));
    state_->format = format;
}

void Log::write(LogLevel level, std::string_view event, Fields fields) const {
    const auto mapped = spdlog_level(level);
    if (!state_->logger.should_log(mapped)) return;
    const auto line =
        state_->format == LogFormat::json ? json_line(level, event, fields) : text_line(level, event, fields);
    state_->logger.log(mapped, line);
}

}  // namespace tunnel
