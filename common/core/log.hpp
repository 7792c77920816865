#pragma once
// Logging: one line an event. An event has a name in the words of the project ("visitor closed") and fields
// (mapping=ssh bytes_in=123); the text and JSON forms carry the same fields. Built once by main and passed
// down; safe to use from any thread. Never put a Secret's text into a field.

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "common/core/result.hpp"

namespace spdlog {
class logger;
}

namespace tunnel {

enum class LogLevel { debug, info, warn, error };
enum class LogFormat { text, json };

Result<LogLevel> parse_log_level(std::string_view text);
Result<LogFormat> parse_log_format(std::string_view text);

// For the call that it is written in: it may refer to the text that it was given.
class LogField {
  public:
    template <class T>
    LogField(std::string_view field_name, const T& field_value)
        : name(field_name), number(is_json_number(field_value)) {
        if constexpr (std::is_convertible_v<const T&, std::string_view>)
            borrowed_ = field_value;
        else
            own_ = fmt::format("{}", field_value);
    }
    std::string_view value() const { return own_.empty() ? borrowed_ : std::string_view(own_); }
    std::string_view name;
    bool number;  // JSON writes it without quotes

  private:
    std::string_view borrowed_;
    std::string own_;
    template <class T>
    static bool is_json_number(const T& value) {
        if constexpr (std::is_floating_point_v<T>)
            return std::isfinite(value);  // JSON has no word for infinity
        else
            return std::is_arithmetic_v<T> && !std::is_same_v<T, char>;
    }
};

// A cheap handle, copied freely; all copies write to the same place and follow the same level and format.
class Log {
  public:
    // Lines go to standard error, which systemd and container hosts collect.
    static Log to_stderr(LogLevel level, LogFormat format);
    // Swallows everything; for tests and for verbs whose output is not a log.
    static Log none();
    // Hands each finished line to `sink` (any thread); for tests.
    static Log to_function(LogLevel level, LogFormat format, std::function<void(std::string_view)> sink);

    // Reload: applies to every copy at once.
    void configure(LogLevel level, LogFormat format) const;

    using Fields = std::initializer_list<LogField>;
    void debug(std::string_view event, Fields fields = {}) const { write(LogLevel::debug, event, fields); }
    void info(std::string_view event, Fields fields = {}) const { write(LogLevel::info, event, fields); }
    void warn(std::string_view event, Fields fields = {}) const { write(LogLevel::warn, event, fields); }
    void error(std::string_view event, Fields fields = {}) const { write(LogLevel::error, event, fields); }

  private:
    struct State;
    explicit Log(std::shared_ptr<State> state) : state_(std::move(state)) {}
    void write(LogLevel level, std::string_view event, Fields fields) const;
    std::shared_ptr<State> state_;
};

}  // namespace tunnel
