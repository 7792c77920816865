// As both programs do at start (prepare_process): splice(2) to a socket whose peer has gone raises SIGPIPE.

#include <gtest/gtest.h>

#include <csignal>

namespace {

class IgnoreSigpipe : public testing::Environment {
  public:
    void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }
};

[[maybe_unused]] const auto* const environment = testing::AddGlobalTestEnvironment(new IgnoreSigpipe);

}  // namespace
