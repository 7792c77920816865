// How a connection under kernel TLS ends: well, cut, or altered on its way.

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "common/net/kernel_tls.hpp"
#include "common/net/relay/pipe_pool.hpp"
#include "common/net/socket.hpp"
#include "tests/unit/common/net/kernel_tls_pair.hpp"

namespace tunnel::net {
namespace {

using namespace test;
using Kind = KernelTlsSocket::Kind;

class KernelTlsEndTest : public KernelTlsTest {
  protected:
    void SetUp() override {
        KernelTlsTest::SetUp();
        if (!IsSkipped()) take_over();
    }
    // As a relay meets it: splice first, then the question what that was.
    struct Met {
        ssize_t spliced = 0;
        int error = 0;
        Result<KernelTlsSocket::Received> said;
    };
    Met meet() {
        Met met;
        for (;;) {
            if (!wait_for(pair.near.get(), POLLIN)) return met;
            met.spliced =
                ::splice(pair.near.get(), nullptr, pipe_->write.get(), nullptr, 65536, SPLICE_F_NONBLOCK);
            met.error = met.spliced < 0 ? errno : 0;
            if (met.error != EAGAIN) break;
        }
        Bytes out(100);
        if (met.spliced <= 0) met.said = kernel->explain(met.error, out);
        return met;
    }
    void send_altered_at(std::size_t place) {
        auto record = user.sealed(Bytes(1000, 7));
        record[place] ^= 1;
        user.send_raw(record);
    }
    void expect_broken(Errc expected = Errc::protocol) {
        const auto met = meet();
        EXPECT_LE(met.spliced, 0);
        ASSERT_FALSE(met.said) << "kind " << static_cast<int>(met.said->kind);
        EXPECT_EQ(met.said.error().code, expected) << met.said.error().message;
        Bytes out(100);
        const auto again = kernel->receive(out);
        EXPECT_TRUE(!again || again->kind == Kind::nothing) << "bytes after a failure";
    }

    PipePool pool_;
    std::optional<Pipe> pipe_ = pool_.lease();
};

INSTANTIATE_TEST_SUITE_P(Roles, KernelTlsEndTest, testing::Values(Role::server, Role::client), role_name);

TEST_P(KernelTlsEndTest, CloseNotifyOfThePeerIsNoData) {
    user.send_close_notify();
    shut_down(pair.far.get(), Half::write);
    const auto met = meet();
    EXPECT_EQ(met.spliced, -1);
    EXPECT_EQ(met.error, EINVAL);
    ASSERT_TRUE(met.said) << met.said.error().message;
    EXPECT_EQ(met.said->kind, Kind::close_notify);
    // The other direction goes on.
    send_all(pair.near.get(), view_of("still here"));
    EXPECT_EQ(text_of(user.receive(10)), "still here");
    EXPECT_TRUE(*kernel->send_close_notify());
    user.receive_close_notify();
}

TEST_P(KernelTlsEndTest, OurCloseNotifyEndsOneDirectionOnly) {
    EXPECT_TRUE(*kernel->send_close_notify());
    EXPECT_TRUE(*kernel->all_in_tcp());
    shut_down(pair.near.get(), Half::write);
    user.receive_close_notify();
    ASSERT_TRUE(wait_for(pair.far.get(), POLLIN));
    EXPECT_TRUE(user.pull());
    EXPECT_TRUE(user.got_end());
    user.send(view_of("late answer"));
    const auto met = meet();
    EXPECT_EQ(met.spliced, 11);
}

TEST_P(KernelTlsEndTest, AnEndWithoutCloseNotifyIsACut) {
    shut_down(pair.far.get(), Half::write);
    expect_broken(Errc::closed);
}

TEST_P(KernelTlsEndTest, AnEndInsideARecordIsACut) {
    const auto record = user.sealed(Bytes(1000, 7));
    user.send_raw(BytesView(record).first(500));
    shut_down(pair.far.get(), Half::write);
    expect_broken(Errc::closed);
}

TEST_P(KernelTlsEndTest, AnEndInsideAHeaderIsACut) {
    const auto record = user.sealed(Bytes(1000, 7));
    user.send_raw(BytesView(record).first(3));
    shut_down(pair.far.get(), Half::write);
    expect_broken(Errc::closed);
}

TEST_P(KernelTlsEndTest, AResetIsNoEnd) {
    reset(pair.far);
    const auto met = meet();
    ASSERT_FALSE(met.said);
}

TEST_P(KernelTlsEndTest, AnAlteredNonceEndsTheConnection) {
    send_altered_at(tls::record_header_size + 7);
    expect_broken();
}

TEST_P(KernelTlsEndTest, AnAlteredTextEndsTheConnection) {
    send_altered_at(500);
    expect_broken();
}

TEST_P(KernelTlsEndTest, AnAlteredTagEndsTheConnection) {
    send_altered_at(1000 + tls::record_overhead - 1);
    expect_broken();
}

TEST_P(KernelTlsEndTest, AnAlteredHeaderEndsTheConnection) {
    auto record = user.sealed(Bytes(1000, 7));
    record[2] = 9;  // the version
    user.send_raw(record);
    expect_broken();
}

TEST_P(KernelTlsEndTest, AnAlteredTypeEndsTheConnection) {
    auto record = user.sealed(Bytes(1000, 7));
    record[0] = 21;
    user.send_raw(record);
    expect_broken();
}

TEST_P(KernelTlsEndTest, ARecordTooLongEndsTheConnection) {
    auto record = user.sealed(Bytes(1000, 7));
    record[3] = 0x50;
    user.send_raw(record);
    expect_broken();
}

TEST_P(KernelTlsEndTest, AReplayedRecordEndsTheConnection) {
    const auto record = user.sealed(view_of("once"));
    user.send_raw(record);
    EXPECT_EQ(meet().spliced, 4);
    user.send_raw(record);
    expect_broken();
}

TEST_P(KernelTlsEndTest, AMissingRecordEndsTheConnection) {
    (void)user.sealed(view_of("never sent"));
    user.send(view_of("next"));
    expect_broken();
}

TEST_P(KernelTlsEndTest, AnotherAlertEndsTheConnection) {
    user.send(Bytes{2, 40}, tls::RecordType::alert);
    const auto met = meet();
    EXPECT_EQ(met.error, EINVAL);
    ASSERT_FALSE(met.said);
    EXPECT_EQ(met.said.error().message, "the peer sent alert 40");
}

TEST_P(KernelTlsEndTest, AnAlertOfAnotherLengthEndsTheConnection) {
    user.send(Bytes{1, 0, 0}, tls::RecordType::alert);
    const auto met = meet();
    ASSERT_FALSE(met.said);
    EXPECT_EQ(met.said.error().message, "the peer sent an alert of 3 bytes");
}

TEST_P(KernelTlsEndTest, ARecordOfAnotherTypeEndsTheConnection) {
    user.send(view_of("hello"), static_cast<tls::RecordType>(22));
    const auto met = meet();
    EXPECT_EQ(met.error, EINVAL);
    ASSERT_FALSE(met.said);
    EXPECT_EQ(met.said.error().message, "a record of type 22 has no place here");
}

TEST_P(KernelTlsEndTest, AnEmptyRecordIsNoEnd) {
    user.send({});
    const auto met = meet();
    EXPECT_EQ(met.spliced, 0) << "errno " << met.error;
    ASSERT_TRUE(met.said) << met.said.error().message;
    EXPECT_EQ(met.said->kind, Kind::nothing);
    user.send(view_of("more"));
    EXPECT_EQ(meet().spliced, 4);
}

TEST_P(KernelTlsEndTest, DataBeforeCloseNotifyComesFirst) {
    user.send(view_of("last words"));
    user.send_close_notify();
    std::array<Byte, 4> little{};
    const auto first = receive_soon(pair.near.get(), *kernel, little);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->kind, Kind::data);
    EXPECT_EQ(first->size, 4u);
    EXPECT_EQ(meet().spliced, 6);
    const auto met = meet();
    EXPECT_EQ(met.error, EINVAL);
    ASSERT_TRUE(met.said) << met.said.error().message;
    EXPECT_EQ(met.said->kind, Kind::close_notify);
}

}  // namespace
}  // namespace tunnel::net
