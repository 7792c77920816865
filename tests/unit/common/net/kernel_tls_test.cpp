#include "common/net/kernel_tls.hpp"

#include <poll.h>
#include <sys/socket.h>

#include "common/net/socket.hpp"
#include "tests/unit/common/net/kernel_tls_pair.hpp"

namespace tunnel::net {
namespace {

using namespace test;
using Kind = KernelTlsSocket::Kind;

std::string text_of_record(const Result<KernelTlsSocket::Received>& got, BytesView out) {
    EXPECT_TRUE(got) << got.error().message;
    if (!got) return {};
    EXPECT_EQ(got->kind, Kind::data);
    return std::string(text_of(out.first(got->size)));
}

void expect_plain(const TcpPair& pair) {
    send_all(pair.near.get(), view_of("as it is"));
    EXPECT_EQ(text_of(receive_exactly(pair.far.get(), 8)), "as it is");
}

// These run everywhere.

TEST(KernelTlsSupport, SaysWhyItIsNotThere) {
    const auto& support = kernel_tls();
    if (support.available()) {
        EXPECT_EQ(support.why_not(), "");
    } else {
        EXPECT_GT(support.why_not().size(), 10u);
        std::printf("this kernel: %s\n", support.why_not().c_str());
    }
    EXPECT_EQ(KernelTls::off("kernel_tls is off").why_not(), "kernel_tls is off");
    EXPECT_FALSE(KernelTls::off("").available());
}

TEST(KernelTlsSupport, ProbesLeaveNoDescriptor) {
    kernel_tls();
    const auto before = open_descriptors();
    EXPECT_EQ(KernelTls::probe().available(), kernel_tls().available());
    EXPECT_EQ(open_descriptors(), before);
}

TEST(KernelTlsSupport, SwitchedOffItLeavesTheSocketAsItIs) {
    const TcpPair pair;
    const auto socket = KernelTls::off("kernel_tls is off").attach(pair.near.get());
    ASSERT_FALSE(socket);
    EXPECT_EQ(socket.error().code, Errc::unavailable);
    EXPECT_EQ(socket.error().message, "kernel_tls is off");
    expect_plain(pair);
}

// A peer that has finished sending is enough for the kernel to refuse; without the module it always does.
TEST(KernelTlsSupport, RefusedByTheKernelItLeavesTheSocketAsItIs) {
    const TcpPair pair;
    shut_down(pair.far.get(), Half::write);
    ASSERT_TRUE(wait_for(pair.near.get(), POLLIN));
    const auto socket = kernel_tls().attach(pair.near.get());
    ASSERT_FALSE(socket);
    EXPECT_FALSE(socket.error().message.empty());
    expect_plain(pair);
    EXPECT_EQ(end_of(pair.near.get()), 0);
}

TEST(KernelTlsSupport, WhatIsNoTcpSocketIsLeftAsItIs) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const UniqueFd near(ends[0]);
    const UniqueFd far(ends[1]);
    EXPECT_FALSE(kernel_tls().attach(near.get()));
}

// From here on they need a kernel with TLS.

INSTANTIATE_TEST_SUITE_P(Roles, KernelTlsTest, testing::Values(Role::server, Role::client), role_name);

TEST_P(KernelTlsTest, SealsAndOpensFromTheStart) {
    take_over();
    send_all(pair.near.get(), view_of("from the kernel"));
    kernel->count_given(15);
    EXPECT_EQ(text_of(user.receive(15)), "from the kernel");
    user.send(view_of("to the kernel"));
    Bytes out(100);
    EXPECT_EQ(text_of_record(receive_soon(pair.near.get(), *kernel, out), out), "to the kernel");
    EXPECT_EQ(user.failure(), "");
    EXPECT_TRUE(*kernel->all_in_tcp());
}

TEST_P(KernelTlsTest, TakesOverInTheMiddleOfTheStream) {
    const RoleKeys keys(GetParam());
    tls::RecordSealer sealer(tls::AeadFactory::best(), keys.seal);
    tls::RecordOpener opener(tls::AeadFactory::best(), keys.open);
    for (int i = 0; i < 3; ++i) {
        Bytes record(5 + tls::record_overhead);
        ASSERT_TRUE(sealer.seal(tls::RecordType::application_data, view_of("ahead"), record));
        send_all(pair.near.get(), record);
        user.send(view_of("ahead"));
        const Bytes got = receive_exactly(pair.near.get(), record.size());
        ASSERT_TRUE(opener.open(got, record));
    }
    auto taken = hand_over(pair.near.get(), {keys.seal, sealer.sequence()}, {keys.open, opener.sequence()});
    ASSERT_TRUE(taken);
    EXPECT_TRUE(*taken->all_in_tcp());
    send_all(pair.near.get(), view_of(" and after"));
    taken->count_given(10);
    EXPECT_EQ(text_of(user.receive(25)), "aheadaheadahead and after");
    user.send(view_of("after"));
    Bytes out(100);
    EXPECT_EQ(text_of_record(receive_soon(pair.near.get(), *taken, out), out), "after");
    EXPECT_TRUE(*taken->all_in_tcp());
}

TEST_P(KernelTlsTest, OpensWhatArrivedBeforeTheTakeOver) {
    user.send(view_of("first"));
    const Bytes record = user.sealed(view_of("second"));
    user.send_raw(BytesView(record).first(20));
    ASSERT_TRUE(wait_for(pair.near.get(), POLLIN));
    take_over();
    Bytes out(100);
    EXPECT_EQ(text_of_record(receive_soon(pair.near.get(), *kernel, out), out), "first");
    user.send_raw(BytesView(record).subspan(20));
    EXPECT_EQ(text_of_record(receive_soon(pair.near.get(), *kernel, out), out), "second");
}

TEST_P(KernelTlsTest, ASocketIsAttachedOnceAndADirectionHandedOverOnce) {
    take_over();
    const auto again = kernel_tls().attach(pair.near.get());
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::conflict);
    const RoleKeys keys(GetParam());
    EXPECT_FALSE(kernel->take_sealing({keys.seal, 0}));
    EXPECT_FALSE(kernel->take_opening({keys.open, 0}));
    send_all(pair.near.get(), view_of("goes on"));
    EXPECT_EQ(text_of(user.receive(7)), "goes on");
}

TEST_P(KernelTlsTest, UntilADirectionIsHandedOverItIsAsItWas) {
    auto socket = kernel_tls().attach(pair.near.get());
    ASSERT_TRUE(socket) << socket.error().message;
    send_all(pair.near.get(), view_of("near"));
    EXPECT_EQ(text_of(receive_exactly(pair.far.get(), 4)), "near");
    send_all(pair.far.get(), view_of("far"));
    EXPECT_EQ(text_of(receive_exactly(pair.near.get(), 3)), "far");
    EXPECT_FALSE(socket->seals());
    EXPECT_FALSE(socket->opens());
}

// The other one is still the caller's.
TEST_P(KernelTlsTest, OneDirectionCanBeHandedOverAlone) {
    const RoleKeys keys(GetParam());
    tls::RecordOpener opener(tls::AeadFactory::best(), keys.open);
    auto socket = kernel_tls().attach(pair.near.get());
    ASSERT_TRUE(socket) << socket.error().message;
    ASSERT_TRUE(socket->take_sealing({keys.seal, 0}));
    EXPECT_TRUE(socket->seals());
    send_all(pair.near.get(), view_of("by the kernel"));
    EXPECT_EQ(text_of(user.receive(13)), "by the kernel");
    user.send(view_of("by hand"));
    const Bytes record = receive_exactly(pair.near.get(), 7 + tls::record_overhead);
    Bytes text(7);
    ASSERT_TRUE(opener.open(record, text));
    EXPECT_EQ(text_of(text), "by hand");
    ASSERT_TRUE(socket->take_opening({keys.open, opener.sequence()}));
    user.send(view_of("and now"));
    Bytes out(100);
    EXPECT_EQ(text_of_record(receive_soon(pair.near.get(), *socket, out), out), "and now");
}

TEST_P(KernelTlsTest, AUsedUpKeyIsTold) {
    const RoleKeys keys(GetParam());
    auto socket = kernel_tls().attach(pair.near.get());
    ASSERT_TRUE(socket) << socket.error().message;
    ASSERT_TRUE(socket->take_sealing({keys.seal, 5}, 8));
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(socket->used_up()) << i;
        send_all(pair.near.get(), view_of("x"));
        socket->count_given(1);
    }
    EXPECT_TRUE(socket->used_up());
}

TEST_P(KernelTlsTest, WrongSequenceNumbersAreNotUnderstood) {
    const RoleKeys keys(GetParam());
    auto taken = hand_over(pair.near.get(), {keys.seal, 1}, {keys.open, 1});
    ASSERT_TRUE(taken);
    send_all(pair.near.get(), view_of("x"));
    EXPECT_EQ(user.receive(1), Bytes());
    EXPECT_NE(user.failure(), "");
    user.send(view_of("x"));
    Bytes out(100);
    const auto got = receive_soon(pair.near.get(), *taken, out);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::protocol) << got.error().message;
}

TEST_P(KernelTlsTest, BothEndsMayBeTheKernels) {
    take_over();
    auto far = hand_over(pair.far.get(), RoleKeys(other(GetParam())));
    ASSERT_TRUE(far);
    send_all(pair.near.get(), view_of("there"));
    Bytes out(100);
    EXPECT_EQ(text_of_record(receive_soon(pair.far.get(), *far, out), out), "there");
    EXPECT_TRUE(*kernel->send_close_notify());
    EXPECT_EQ(receive_soon(pair.far.get(), *far, out)->kind, Kind::close_notify);
    send_all(pair.far.get(), view_of("and back"));
    EXPECT_EQ(text_of_record(receive_soon(pair.near.get(), *kernel, out), out), "and back");
    EXPECT_TRUE(*far->send_close_notify());
    EXPECT_EQ(receive_soon(pair.near.get(), *kernel, out)->kind, Kind::close_notify);
}

}  // namespace
}  // namespace tunnel::net
