#include "common/config/problem.hpp"

namespace tunnel::config {

std::string to_string(const Problem& problem) {
    if (problem.line == 0) return fmt::format("{}: {}", problem.file, problem.message);
    return fmt::format("{}:{}:{}: {}", problem.file, problem.line, problem.column, problem.message);
}

Error to_error(const std::vector<Problem>& problems) {
    std::string text;
    for (const auto& problem : problems) {
        if (!text.empty()) text += '\n';
        text += to_string(problem);
    }
    return {Errc::invalid, std::move(text), 0};
}

std::vector<Problem> problem_with_file(const std::string& file, std::string message) {
    return {Problem{file, 0, 0, std::move(message)}};
}

}  // namespace tunnel::config
