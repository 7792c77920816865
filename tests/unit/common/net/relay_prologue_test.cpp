// What runs on the data connection before bytes flow from it: the server waits there for the client's answer
// while the visitor's first bytes are already on their way.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "common/net/socket.hpp"
#include "tests/unit/common/net/relay_chain.hpp"

namespace tunnel::net {
namespace {

using namespace test;

constexpr std::string_view ready = "ready";
constexpr std::string_view refused = "sorry";
constexpr std::size_t most_taken = std::size_t{16} * 1024;

// As the server does it, without the record around the answer.
class PlainAnswer final : public RelayPrologue {
  public:
    explicit PlainAnswer(bool may_move = false) : may_move_(may_move) {}
    bool may_move() const override { return may_move_; }
    Step read(int data_fd) override {
        for (;;) {
            const auto room = bytes_.size() - have_;
            const auto n = ::recv(data_fd, bytes_.data() + have_, room, MSG_DONTWAIT);
            if (n < 0 && errno == EAGAIN) return Step::incomplete;
            if (n <= 0) return Step::refused;
            have_ += static_cast<std::size_t>(n);
            emptied_ = static_cast<std::size_t>(n) < room;
            if (have_ >= ready.size()) return answer() == ready ? Step::done : Step::refused;
        }
    }
    RelayRefusal refusal() override {
        const auto end = may_move_ ? RelayEnd::unanswered : RelayEnd::no_answer;
        if (have_ < ready.size()) return {end, "the data connection ended"};
        return {RelayEnd::refused, std::string(answer())};
    }
    BytesView rest() const override { return BytesView(bytes_).first(have_).subspan(ready.size()); }
    bool emptied() const override { return emptied_; }

  private:
    std::string_view answer() const { return text_of(BytesView(bytes_).first(ready.size())); }
    bool may_move_;
    Bytes bytes_ = Bytes(50);
    std::size_t have_ = 0;
    bool emptied_ = false;
};

void send_with_descriptor(int fd, std::string_view text) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
    iovec bytes{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
    EXPECT_EQ(::sendmsg(fd, &message, MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

class RelayWithPrologue : public testing::TestWithParam<Mode> {
  protected:
    ~RelayWithPrologue() override { EXPECT_EQ(lent_.pipes.leased(), 0u); }

    void start(bool may_move = false, Family outer = Family::tcp, const RelayBeginning& beginning = {}) {
        if (outer == Family::local) outer_ = TcpPair({}, outer);
        std::optional<RecordLayers> layers;
        if (GetParam() == Mode::encrypted) {
            LayerPair pair;
            layers = std::move(pair.server);
            client_ = std::move(pair.client);
        }
        side_.emplace(loop_, lent_, std::move(outer_.far), std::move(data_.far), std::move(layers));
        if (outer == Family::local) side_->relay().set_outer_is_unix();
        side_->start(std::make_unique<PlainAnswer>(may_move), beginning);
        loop_.settle();
    }
    void client_says(std::string_view text) { test::send_all(data_.near.get(), view_of(text)); }
    // Bytes of the stream, after the answer.
    void client_streams(std::string_view text) { client_says(as_streamed(text)); }
    std::string as_streamed(std::string_view text) {
        if (!client_) return std::string(text);
        Bytes record(text.size() + tls::record_overhead);
        EXPECT_TRUE(client_->sealer.seal(tls::RecordType::application_data, view_of(text), record));
        return std::string(text_of(record));
    }
    std::string get(int fd, std::size_t size) {
        Bytes got(size);
        std::size_t have = 0;
        loop_.run_until([&] {
            const auto n = ::recv(fd, got.data() + have, size - have, MSG_DONTWAIT);
            if (n > 0) have += static_cast<std::size_t>(n);
            return have == size || n == 0;
        });
        return std::string(text_of(BytesView(got).first(have)));
    }
    std::string client_gets(std::size_t size) {
        if (!client_) return get(data_.near.get(), size);
        const auto record = get(data_.near.get(), size + tls::record_overhead);
        Bytes plain(size);
        EXPECT_TRUE(client_->opener.open(view_of(record), plain));
        return std::string(text_of(plain));
    }
    // The same of a stream of some records.
    std::string client_gets_stream(std::size_t size) {
        if (!client_) return get(data_.near.get(), size);
        std::string all;
        while (all.size() < size) {
            auto record = get(data_.near.get(), tls::record_header_size);
            const auto whole = tls::RecordOpener::record_size(view_of(record));
            if (!whole) return all;
            record += get(data_.near.get(), *whole - record.size());
            Bytes plain(record.size());
            const auto opened = client_->opener.open(view_of(record), plain);
            if (!opened) return all;
            all += text_of(BytesView(plain).first(opened->size));
        }
        return all;
    }
    void expect_reset(RelayEnd end) {
        ASSERT_TRUE(side_->result());
        EXPECT_EQ(to_string(side_->result()->end), to_string(end));
        EXPECT_EQ(test::end_of(outer_.near.get()), ECONNRESET);
        EXPECT_EQ(test::end_of(data_.near.get()), ECONNRESET);
    }

    TestLoop loop_;
    Lent lent_{loop_};
    TcpPair outer_;
    TcpPair data_;
    std::optional<RecordLayers> client_;
    std::optional<RunningRelay> side_;
};

INSTANTIATE_TEST_SUITE_P(, RelayWithPrologue, testing::Values(Mode::plain, Mode::encrypted),
                         [](const auto& mode) { return mode.param == Mode::plain ? "Plain" : "Encrypted"; });

TEST_P(RelayWithPrologue, TheVisitorsBytesDoNotWaitForTheAnswer) {
    start();
    test::send_all(outer_.near.get(), view_of("first words"));
    EXPECT_EQ(client_gets(11), "first words");
    client_says(ready);
    client_streams("welcome");
    EXPECT_EQ(get(outer_.near.get(), 7), "welcome") << "the answer itself is not for the visitor";
    EXPECT_EQ(side_->relay().to_outer(), 7u);
    side_->relay().abort(RelayEnd::closed);
    loop_.run();
}

TEST_P(RelayWithPrologue, NothingReachesTheVisitorBeforeTheAnswer) {
    start();
    client_says(ready.substr(0, 3));
    loop_.settle();
    Byte byte = 0;
    EXPECT_EQ(::recv(outer_.near.get(), &byte, 1, MSG_DONTWAIT), -1);
    client_says(ready.substr(3));
    client_streams("x");
    EXPECT_EQ(get(outer_.near.get(), 1), "x");
    side_->relay().abort(RelayEnd::closed);
    loop_.run();
}

// More, as much as the answer's reader takes at once, less, and the end of the stream right behind.
TEST_P(RelayWithPrologue, WhatComesInOneSegmentWithTheAnswerIsPassedOn) {
    for (const std::size_t size : {1, 16, 44, 45, 46, 300}) {
        for (const bool ends : {false, true}) {
            outer_ = TcpPair();
            data_ = TcpPair();
            start();
            const std::string words(size, 'w');
            client_says(std::string(ready) + as_streamed(words));
            if (ends && GetParam() == Mode::plain) shut_down(data_.near.get(), Half::write);
            EXPECT_EQ(get(outer_.near.get(), size), words);
            if (ends && GetParam() == Mode::plain) {
                EXPECT_EQ(test::end_of(outer_.near.get()), 0);
            } else {
                client_streams(" and more");
                EXPECT_EQ(get(outer_.near.get(), 9), " and more");
            }
            side_->relay().abort(RelayEnd::closed);
            loop_.run();
        }
    }
}

// What was read of the data connection before the relay, whole records or the beginning of one.
TEST_P(RelayWithPrologue, WhatWasReadBeforeIsPassedOn) {
    for (const std::size_t kept_back : {0, 1, 7}) {
        outer_ = TcpPair();
        data_ = TcpPair();
        std::optional<RecordLayers> layers;
        if (GetParam() == Mode::encrypted) {
            LayerPair pair;
            layers = std::move(pair.server);
            client_ = std::move(pair.client);
        }
        auto streamed = as_streamed("first ");
        streamed += as_streamed("words");
        const auto begun = streamed.substr(0, streamed.size() - kept_back);
        client_says(streamed.substr(begun.size()));
        side_.emplace(loop_, lent_, std::move(outer_.far), std::move(data_.far), std::move(layers));
        side_->start(nullptr, {.begun = view_of(begun), .data_may_have_more = kept_back > 0});
        EXPECT_EQ(get(outer_.near.get(), 11), "first words");
        side_->relay().abort(RelayEnd::closed);
        loop_.run();
    }
}

TEST_P(RelayWithPrologue, ARefusalEndsWithAReset) {
    start();
    test::send_all(outer_.near.get(), view_of("hello?"));
    client_says(refused);
    loop_.run();
    expect_reset(RelayEnd::refused);
    EXPECT_EQ(side_->result()->detail, refused);
    EXPECT_EQ(side_->result()->to_outer, 0u);
}

TEST_P(RelayWithPrologue, ADataConnectionThatEndsInsteadOfAnAnswer) {
    start();
    data_.near.reset();
    loop_.run();
    ASSERT_TRUE(side_->result());
    EXPECT_EQ(to_string(side_->result()->end), to_string(RelayEnd::no_answer));
    EXPECT_EQ(test::end_of(outer_.near.get()), ECONNRESET);
}

TEST_P(RelayWithPrologue, AVisitorThatVanishesMeanwhileEndsTheWait) {
    start();
    test::reset(outer_.near);
    loop_.run();
    ASSERT_TRUE(side_->result());
    EXPECT_EQ(to_string(side_->result()->end), to_string(RelayEnd::outer_failed));
    EXPECT_EQ(test::end_of(data_.near.get()), ECONNRESET);
}

TEST_P(RelayWithPrologue, AVisitorThatVanishedBeforeEndsTheWait) {
    test::reset(outer_.near);
    start();
    loop_.run();
    ASSERT_TRUE(side_->result());
    EXPECT_EQ(to_string(side_->result()->end), to_string(RelayEnd::outer_failed));
    EXPECT_EQ(test::end_of(data_.near.get()), ECONNRESET);
}

// The first part of the answer and the visitor's reset are noticed in one turn of the loop: the wait for the
// second part must not begin.
TEST_P(RelayWithPrologue, AVisitorThatVanishesAsTheAnswerComesEndsTheWait) {
    start();
    client_says(ready.substr(0, 3));
    test::reset(outer_.near);
    loop_.run();
    ASSERT_TRUE(side_->result());
    EXPECT_EQ(to_string(side_->result()->end), to_string(RelayEnd::outer_failed));
}

TEST_P(RelayWithPrologue, AVisitorThatHalfClosedStillGetsItsAnswer) {
    start();
    shut_down(outer_.near.get(), Half::write);
    client_says(ready);
    client_streams("late answer");
    EXPECT_EQ(get(outer_.near.get(), 11), "late answer");
    side_->relay().abort(RelayEnd::closed);
    loop_.run();
}

TEST_P(RelayWithPrologue, AbortEndsTheWait) {
    start();
    side_->relay().abort(RelayEnd::drained, "enough");
    loop_.run();
    expect_reset(RelayEnd::drained);
}

// Whichever direction finds out, and whatever was on its way.
TEST_P(RelayWithPrologue, ADataConnectionThatBreaksBeforeTheAnswerGivesTheVisitorBack) {
    for (const bool visitor_spoke : {false, true}) {
        outer_ = TcpPair();
        data_ = TcpPair();
        if (visitor_spoke) test::send_all(outer_.near.get(), view_of("first words"));
        test::reset(data_.near);
        start(true);
        loop_.run();
        ASSERT_TRUE(side_->result());
        ASSERT_EQ(to_string(side_->result()->end), to_string(RelayEnd::unanswered));
        // All that it said is there for another data connection.
        ASSERT_TRUE(side_->result()->outer);
        // Some of it may not have been read yet.
        const Bytes taken = side_->result()->taken;
        const auto fd = side_->result()->outer.get();
        const std::string_view said = visitor_spoke ? "first words" : "";
        EXPECT_EQ(said.substr(0, taken.size()), text_of(taken));
        EXPECT_EQ(text_of(test::receive_exactly(fd, said.size() - taken.size())), said.substr(taken.size()));
        test::send_all(side_->result()->outer.get(), view_of("hello"));
        EXPECT_EQ(text_of(test::receive_exactly(outer_.near.get(), 5)), "hello");
    }
}

// There, a message with a descriptor ends a read early.
TEST_P(RelayWithPrologue, WhatWasTakenReachesTheOtherEndOnceFromAUnixSocket) {
    start(true, Family::local);
    test::send_all(outer_.near.get(), view_of("one "));
    EXPECT_EQ(client_gets(4), "one ");
    send_with_descriptor(outer_.near.get(), "two ");
    EXPECT_EQ(client_gets(4), "two ");
    client_says(ready);
    client_streams("x");
    EXPECT_EQ(get(outer_.near.get(), 1), "x");
    send_with_descriptor(outer_.near.get(), "three ");
    test::send_all(outer_.near.get(), view_of("four"));
    EXPECT_EQ(client_gets(6), "three ");
    EXPECT_EQ(client_gets(4), "four");
    EXPECT_EQ(side_->relay().from_outer(), 18u);
    side_->relay().abort(RelayEnd::closed);
    loop_.run();
}

TEST_P(RelayWithPrologue, TheOpeningGoesFirstAndTakesTheFirstBytesAlong) {
    for (const bool may_move : {false, true}) {
        outer_ = TcpPair();
        data_ = TcpPair();
        test::send_all(outer_.near.get(), view_of("first words"));
        start(may_move, Family::tcp, {.opening = view_of("opening: ")});
        EXPECT_EQ(get(data_.near.get(), 9), "opening: ");
        EXPECT_EQ(client_gets(11), "first words");
        client_says(ready);
        client_streams("x");
        EXPECT_EQ(get(outer_.near.get(), 1), "x");
        test::send_all(outer_.near.get(), view_of(", more"));
        EXPECT_EQ(client_gets(6), ", more");
        EXPECT_EQ(side_->relay().from_outer(), 17u) << "the opening is not the visitor's";
        side_->relay().abort(RelayEnd::closed);
        loop_.run();
    }
}

TEST_P(RelayWithPrologue, TheOpeningDoesNotWaitForAVisitorWhoSaysNothing) {
    start(true, Family::tcp, {.opening = view_of("opening")});
    EXPECT_EQ(get(data_.near.get(), 7), "opening");
    shut_down(outer_.near.get(), Half::write);
    client_says(ready);
    client_streams("welcome");
    EXPECT_EQ(get(outer_.near.get(), 7), "welcome");
    side_->relay().abort(RelayEnd::closed);
    loop_.run();
}

TEST_P(RelayWithPrologue, AnOpeningThatFindsTheDataConnectionBrokenGivesTheVisitorBack) {
    test::send_all(outer_.near.get(), view_of("first words"));
    test::reset(data_.near);
    start(true, Family::tcp, {.opening = view_of("opening")});
    loop_.run();
    ASSERT_TRUE(side_->result());
    EXPECT_EQ(to_string(side_->result()->end), to_string(RelayEnd::unanswered));
    ASSERT_TRUE(side_->result()->outer);
    EXPECT_EQ(text_of(side_->result()->taken), "first words");
}

// From one data connection that breaks to the next, with all that it has said meanwhile.
TEST_P(RelayWithPrologue, WhatWasTakenGoesFirstOnTheNextDataConnection) {
    const std::string much(most_taken, 'm');
    for (const std::string& said : {std::string("some words"), much}) {
        outer_ = TcpPair();
        data_ = TcpPair();
        start(true, Family::tcp, {.opening = view_of("opening: ")});
        std::thread visitor([&, fd = outer_.near.get()] { test::send_all(fd, view_of(said)); });
        EXPECT_EQ(get(data_.near.get(), 9), "opening: ");
        loop_.run_until([&] { return side_->relay().from_outer() == said.size(); });
        visitor.join();
        test::reset(data_.near);
        loop_.run();
        ASSERT_TRUE(side_->result());
        ASSERT_EQ(to_string(side_->result()->end), to_string(RelayEnd::unanswered));
        outer_.far = side_->take_outer();
        const Bytes taken = side_->result()->taken;
        ASSERT_EQ(taken.size(), said.size());

        data_ = TcpPair();
        test::send_all(outer_.near.get(), view_of(" and more"));
        start(true, Family::tcp, {.opening = view_of("again: "), .taken = taken});
        EXPECT_EQ(get(data_.near.get(), 7), "again: ");
        EXPECT_EQ(client_gets_stream(said.size()), said);
        client_says(ready);
        EXPECT_EQ(client_gets_stream(9), " and more");
        EXPECT_EQ(side_->relay().from_outer(), said.size() + 9);
        side_->relay().abort(RelayEnd::closed);
        loop_.run();
    }
}

// Who waited for the data connection in the event set is told nothing any more.
TEST_P(RelayWithPrologue, AWatchedDataConnectionIsTakenOver) {
    struct Ignored final : EventSet::Handler {
        void on_events(std::uint32_t) override { ++calls; }
        int calls = 0;
    } before;
    ASSERT_EQ(lent_.events.add(data_.far.get(), before), 0);
    loop_.settle();
    const int calls = before.calls;
    start(true, Family::tcp, {.opening = view_of("opening"), .data_is_watched = true});
    EXPECT_EQ(get(data_.near.get(), 7), "opening");
    client_says(ready);
    client_streams("welcome");
    EXPECT_EQ(get(outer_.near.get(), 7), "welcome");
    side_->relay().abort(RelayEnd::closed);
    loop_.run();
    EXPECT_EQ(before.calls, calls);
    EXPECT_EQ(lent_.events.size(), 0u);
}

TEST_P(RelayWithPrologue, WhatWasTakenReachesTheOtherEndOnce) {
    start(true);
    test::send_all(outer_.near.get(), view_of("one "));
    EXPECT_EQ(client_gets(4), "one ");
    test::send_all(outer_.near.get(), view_of("two "));
    EXPECT_EQ(client_gets(4), "two ");
    client_says(ready);
    client_streams("x");
    EXPECT_EQ(get(outer_.near.get(), 1), "x");
    test::send_all(outer_.near.get(), view_of("three"));
    EXPECT_EQ(client_gets(5), "three");
    EXPECT_EQ(side_->relay().from_outer(), 13u);
    side_->relay().abort(RelayEnd::closed);
    loop_.run();
}

}  // namespace
}  // namespace tunnel::net
