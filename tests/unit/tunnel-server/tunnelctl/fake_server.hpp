#pragma once
// An admin socket with a thread behind it that takes one request and answers with whatever bytes the test
// wants.

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "common/core/bytes.hpp"
#include "common/net/unique_fd.hpp"
#include "proto/admin.pb.h"
#include "tunnel-server/tunnelctl/run.hpp"

namespace tunnel::ctl {

inline Bytes frame_of(const proto::AdminResponse& response) {
    const auto body = response.SerializeAsString();
    Bytes frame(4);
    put_be32(frame, static_cast<std::uint32_t>(body.size()));
    append(frame, view_of(body));
    return frame;
}

enum class Afterwards { close, keep_silent };

class FakeServer {
  public:
    FakeServer(std::string path, Bytes answer, Afterwards afterwards = Afterwards::close)
        : answer_(std::move(answer)), afterwards_(afterwards) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(listener_.get(), 1), 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~FakeServer() { join(); }

    // What arrived; nullopt when nobody came or when it was no request.
    std::optional<proto::AdminRequest> request() {
        join();
        return request_;
    }

  private:
    void join() {
        ::shutdown(listener_.get(), SHUT_RDWR);  // ends accept() when nobody came
        if (thread_.joinable()) thread_.join();
    }
    static bool receive_all(int fd, MutableBytes bytes) {
        return ::recv(fd, bytes.data(), bytes.size(), MSG_WAITALL) == static_cast<ssize_t>(bytes.size());
    }
    void serve() {
        const net::UniqueFd peer(::accept(listener_.get(), nullptr, nullptr));
        std::array<Byte, 4> header{};
        if (!peer || !receive_all(peer.get(), header)) return;
        Bytes body(get_be32(header));
        proto::AdminRequest request;
        if (!receive_all(peer.get(), body) ||
            !request.ParseFromArray(body.data(), static_cast<int>(body.size())))
            return;
        request_ = request;
        for (BytesView left = answer_; !left.empty();) {
            const auto sent = ::send(peer.get(), left.data(), left.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            left = left.subspan(static_cast<std::size_t>(sent));
        }
        char end = 0;
        if (afterwards_ == Afterwards::keep_silent)
            (void)::recv(peer.get(), &end, 1, 0);  // until it hangs up
    }

    Bytes answer_;
    Afterwards afterwards_;
    std::optional<proto::AdminRequest> request_;
    net::UniqueFd listener_;
    std::thread thread_;
};

struct Outcome {
    int code = -1;
    std::string out;
    std::string err;
};

constexpr std::int64_t test_now = 1'800'000'000;  // 2027-01-15T08:00:00Z

class TunnelctlTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "tunnelctl-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder = name;
        socket = name + "/admin.sock";
        environment.variable = [this](std::string_view variable) -> std::optional<std::string> {
            if (variable == "HOME") return folder.string();
            return std::nullopt;
        };
        environment.euid = 1000;
        environment.now = [] { return WallTime(Seconds(test_now)); };
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    // Exactly these words.
    Outcome run_words(std::vector<std::string> words) {
        words.insert(words.begin(), "tunnelctl");
        std::vector<const char*> argv;
        for (const auto& word : words) argv.push_back(word.c_str());
        std::ostringstream out;
        std::ostringstream err;
        const int code = run(static_cast<int>(argv.size()), argv.data(), out, err, environment);
        return {code, out.str(), err.str()};
    }
    // These words and the test's socket.
    Outcome run_ctl(std::vector<std::string> words) {
        words.insert(words.begin(), {"--socket", socket});
        return run_words(std::move(words));
    }
    // The same with a server that gives this answer; its request is in `request`.
    Outcome run_against(const proto::AdminResponse& answer, std::vector<std::string> words) {
        Outcome outcome;
        {
            FakeServer server(socket, frame_of(answer));
            outcome = run_ctl(std::move(words));
            const auto arrived = server.request();
            request = arrived.value_or(proto::AdminRequest());
        }
        std::filesystem::remove(socket);
        return outcome;
    }
    static proto::AdminResponse done() {
        proto::AdminResponse response;
        response.mutable_done();
        return response;
    }

    std::filesystem::path folder;
    std::string socket;
    Environment environment;
    proto::AdminRequest request;
};

}  // namespace tunnel::ctl
