#pragma once
// Everything both ends log during a test: to look for an event, and to be printed when the test fails.

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/log.hpp"

namespace tunnel::test {

class LogBook {
  public:
    // `who` stands before each line.
    Log log(const std::string& who) {
        return Log::to_function(LogLevel::debug, LogFormat::text,
                                [state = state_, who](std::string_view line) {
                                    const std::lock_guard lock(state->mutex);
                                    state->lines.push_back(who + ": " + std::string(line));
                                });
    }
    // Lines that hold all of these.
    std::size_t count(std::initializer_list<std::string_view> parts) const {
        std::size_t found = 0;
        for (const auto& line : lines()) {
            bool all = true;
            for (const auto part : parts) all = all && line.find(part) != std::string::npos;
            found += all ? 1 : 0;
        }
        return found;
    }
    bool has(std::initializer_list<std::string_view> parts) const { return count(parts) > 0; }
    std::vector<std::string> lines() const {
        const std::lock_guard lock(state_->mutex);
        return state_->lines;
    }

  private:
    struct State {
        std::mutex mutex;
        std::vector<std::string> lines;
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace tunnel::test
