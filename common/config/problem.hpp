#pragma once
// What is wrong with a config file, and where. A load reports every problem it finds, not only the first.

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "common/core/result.hpp"

namespace tunnel::config {

// A place in a text, counted from 1; columns count characters, not bytes. 0 means "the file as a whole".
struct Position {
    unsigned line = 0;
    unsigned column = 0;
    auto operator<=>(const Position&) const = default;
};

struct Problem {
    std::string file;
    unsigned line = 0;
    unsigned column = 0;
    std::string message;  // a sentence that never quotes a secret
    auto operator<=>(const Problem&) const = default;
};

// "FILE:LINE:COL: message", the form editors jump to; "FILE: message" where there is no position.
std::string to_string(const Problem& problem);

// The value, or every problem sorted by position.
template <class T>
using Checked = tl::expected<T, std::vector<Problem>>;

// All problems as one error, a line each, for callers that hand errors on as Result<T>.
Error to_error(const std::vector<Problem>& problems);

// One problem with the file as a whole.
std::vector<Problem> problem_with_file(const std::string& file, std::string message);

}  // namespace tunnel::config
