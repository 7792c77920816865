// Somebody between server and client cuts an encrypted data connection or touches its records: the receiving
// end must notice, hand on nothing that was altered, and say so to its own side with a reset.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>

#include "common/net/socket.hpp"
#include "tests/unit/common/net/meddler.hpp"
#include "tests/unit/common/net/relay_chain.hpp"
#include "tests/unit/common/wire/seeded_random.hpp"

namespace tunnel::net {
namespace {

using namespace test;

// The direction that is meddled with.
enum class Way { to_client, to_server };

constexpr std::size_t bulk = 300'000;  // some records in any case: one is 16 KiB at most

ChainPlan talkative(wire::SeededRandom& random, Way way) {
    ChainPlan plan;
    plan.mode = Mode::encrypted;
    plan.kernel = static_cast<KernelEnds>(random.below(4));
    auto& sender = way == Way::to_client ? plan.visitor : plan.service;
    auto& receiver = way == Way::to_client ? plan.service : plan.visitor;
    sender.seed = random.number();
    sender.to_send = bulk;
    sender.write_chunk = 1 + random.below(60'000);
    receiver.seed = random.number();
    receiver.to_send = random.below(100'000);
    receiver.half_close = HalfClose::after_eof;
    receiver.read_chunk = 1 + random.below(60'000);
    plan.visitor.peer_seed = plan.service.seed;
    plan.service.peer_seed = plan.visitor.seed;
    return plan;
}

struct MeddledChain {
    MeddledChain(TestLoop& loop, Lent& lent, const ChainPlan& plan, Way way, RecordEditor editor)
        : chain(loop, lent, plan, Chain::Data::cut),
          meddler(loop.executor(), std::move(way == Way::to_client ? chain.server_end : chain.client_end),
                  std::move(way == Way::to_client ? chain.client_end : chain.server_end), std::move(editor)) {
        chain.start();
        loop.spawn(meddler.run());
    }
    Chain chain;
    Meddler meddler;
};

struct Case {
    Mischief mischief;
    RelayEnd expected;
};

class RelayTamper : public testing::TestWithParam<Case> {
  protected:
    void meddle_once(Way way) {
        const auto plan = talkative(random_, way);
        const auto target = random_.below(8);
        SCOPED_TRACE(fmt::format("record {} {}, {}", target,
                                 way == Way::to_client ? "to the client" : "to the server", plan.text()));
        MeddledChain meddled(loop_, lent_, plan, way,
                             RecordEditor(GetParam().mischief, target, random_.number()));
        loop_.run();
        auto& chain = meddled.chain;
        EXPECT_TRUE(meddled.meddler.did_it());
        expect_broken(chain);
        const bool to_client = way == Way::to_client;
        const auto& victim = to_client ? chain.client_side : chain.server_side;
        const auto& other = to_client ? chain.server_side : chain.client_side;
        EXPECT_EQ(to_string(victim.result()->end), to_string(GetParam().expected));
        EXPECT_NE(victim.result()->detail, "");
        EXPECT_EQ(to_string(other.result()->end), to_string(RelayEnd::data_failed));
        const auto& receiver = to_client ? chain.service : chain.visitor;
        EXPECT_LT(receiver.received(), bulk);
        // The original of a doubled record is a good one.
        const std::size_t good = GetParam().mischief == Mischief::duplicate ? target + 1 : target;
        EXPECT_LE(receiver.received(), good * tls::max_record_plaintext);
    }

    wire::SeededRandom random_;
    TestLoop loop_;
    Lent lent_{loop_};
};

INSTANTIATE_TEST_SUITE_P(
    , RelayTamper,
    testing::Values(Case{Mischief::flip_bit, RelayEnd::tampered}, Case{Mischief::drop, RelayEnd::tampered},
                    Case{Mischief::duplicate, RelayEnd::tampered}, Case{Mischief::swap, RelayEnd::tampered},
                    Case{Mischief::shorten, RelayEnd::tampered},
                    Case{Mischief::bad_length, RelayEnd::tampered},
                    Case{Mischief::bad_type, RelayEnd::tampered}, Case{Mischief::cut, RelayEnd::truncated},
                    Case{Mischief::cut_before, RelayEnd::truncated}),
    [](const auto& tested) { return std::string(to_string(tested.param.mischief)); });

TEST_P(RelayTamper, IsNoticed) {
    for (int round = 0; round < 20 && !HasFailure(); ++round) {
        meddle_once(Way::to_client);
        meddle_once(Way::to_server);
    }
    EXPECT_EQ(lent_.pipes.leased(), 0u);
}

// The check of the checks: with somebody between who touches nothing, all is well.
TEST(RelayBetween, NothingIsNoticedWhereNothingIsTouched) {
    wire::SeededRandom random;
    TestLoop loop;
    Lent lent{loop};
    for (const auto way : {Way::to_client, Way::to_server}) {
        auto plan = talkative(random, way);
        MeddledChain meddled(loop, lent, plan, way, RecordEditor(Mischief::none, 0, 0));
        loop.run();
        expect_complete(meddled.chain);
    }
}

TEST(RelayBetween, ARecordThatComesBackLaterIsNoticed) {
    wire::SeededRandom random;
    TestLoop loop;
    Lent lent{loop};
    for (const auto way : {Way::to_client, Way::to_server}) {
        const auto plan = talkative(random, way);
        MeddledChain meddled(loop, lent, plan, way, RecordEditor(Mischief::replay, 1 + random.below(7), 0));
        loop.run();
        expect_broken(meddled.chain);
        const auto& victim = way == Way::to_client ? meddled.chain.client_side : meddled.chain.server_side;
        EXPECT_EQ(to_string(victim.result()->end), to_string(RelayEnd::tampered));
    }
}

// A dropped close_notify must not look like an orderly end, though every byte before it came.
TEST(RelayBetween, AnEndWithoutCloseNotifyIsTruncated) {
    TestLoop loop;
    Lent lent{loop};
    ChainPlan plan;
    plan.mode = Mode::encrypted;
    plan.visitor.to_send = 100;
    plan.visitor.write_chunk = 100;
    plan.service.half_close = HalfClose::after_eof;
    // Record 0 carries the 100 bytes, record 1 is close_notify.
    MeddledChain meddled(loop, lent, plan, Way::to_client, RecordEditor(Mischief::cut_before, 1, 0));
    loop.run();
    expect_broken(meddled.chain);
    EXPECT_EQ(to_string(meddled.chain.client_side.result()->end), to_string(RelayEnd::truncated));
    EXPECT_EQ(meddled.chain.service.received(), 100u);
}

// One relay with its data connection in the test's own hands.
class RelayAlone : public testing::Test {
  protected:
    void start(std::uint64_t record_limit = tls::default_record_limit) {
        LayerPair layers(record_limit);
        peer_.emplace(std::move(layers.client));
        outer_.prepare();
        data_.prepare();
        relay_ = std::make_unique<Relay>(lent_.resources(), std::move(outer_.far), std::move(data_.far),
                                         std::move(layers.server));
        loop_.begin();
        relay_->start(nullptr, [this](RelayResult result) {
            result_ = std::move(result);
            loop_.end();
        });
        loop_.settle();
    }
    Bytes sealed(std::string_view text) {
        Bytes record(text.size() + tls::record_overhead);
        EXPECT_TRUE(peer_->sealer.seal(tls::RecordType::application_data, view_of(text), record));
        return record;
    }
    Bytes close_notify() {
        Bytes record(tls::RecordSealer::close_notify_size);
        EXPECT_TRUE(peer_->sealer.close_notify(record));
        return record;
    }
    // Hands events to the relay until the visitor has `size` bytes.
    std::string visitor_gets(std::size_t size) {
        Bytes got(size);
        std::size_t have = 0;
        loop_.run_until([&] {
            const auto n = ::recv(outer_.near.get(), got.data() + have, size - have, MSG_DONTWAIT);
            if (n > 0) have += static_cast<std::size_t>(n);
            return have == size || n == 0;
        });
        return std::string(text_of(BytesView(got).first(have)));
    }

    TestLoop loop_;
    Lent lent_{loop_};
    TcpPair outer_;
    TcpPair data_;
    std::optional<RecordLayers> peer_;
    std::unique_ptr<Relay> relay_;
    std::optional<RelayResult> result_;
};

TEST_F(RelayAlone, RecordsMayComeByteByByte) {
    start();
    const auto record = sealed("hello");
    for (const Byte byte : record) {
        test::send_all(data_.near.get(), BytesView(&byte, 1));
        loop_.settle();
    }
    EXPECT_EQ(visitor_gets(5), "hello");
}

TEST_F(RelayAlone, CloseNotifyEndsTheDirectionBeforeTheSocketDoes) {
    start();
    test::send_all(data_.near.get(), sealed("bye"));
    test::send_all(data_.near.get(), close_notify());
    EXPECT_EQ(visitor_gets(4), "bye");
    EXPECT_FALSE(result_) << "the visitor may still talk";
    shut_down(outer_.near.get(), Half::write);
    loop_.run();
    EXPECT_EQ(to_string(result_->end), to_string(RelayEnd::finished));
    EXPECT_EQ(result_->to_outer, 3u);
}

TEST_F(RelayAlone, BytesBeforeAnAlteredRecordAreHandedOnAndNoneAfter) {
    start();
    auto bytes = sealed("good");
    auto bad = sealed("evil");
    bad.back() ^= 1;
    append(bytes, bad);
    append(bytes, sealed("late"));
    test::send_all(data_.near.get(), bytes);
    loop_.run();
    EXPECT_EQ(to_string(result_->end), to_string(RelayEnd::tampered));
    EXPECT_EQ(test::end_of(outer_.near.get()), ECONNRESET);
}

TEST_F(RelayAlone, AUsedUpKeyEndsTheRelay) {
    start(3);
    for (int i = 0; i < 4 && !result_; ++i) {
        if (::send(outer_.near.get(), "x", 1, MSG_NOSIGNAL) != 1) break;
        loop_.settle();
    }
    loop_.run();
    EXPECT_EQ(to_string(result_->end), to_string(RelayEnd::key_used_up));
    EXPECT_EQ(test::end_of(outer_.near.get()), ECONNRESET);
    EXPECT_EQ(test::end_of(data_.near.get()), ECONNRESET);
}

}  // namespace
}  // namespace tunnel::net
