// Who may visit a UDP mapping, and how much: a visitor there is a flow, and what is too much is dropped.

#include "common/wire/proxy_protocol.hpp"
#include "tests/integration/support/datagrams.hpp"
#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;

class UdpAccessTest : public TunnelTest {
  protected:
    std::string toml(const std::string& lines) const {
        return "[[mapping]]\nname = \"service\"\nudp = 0\nto = \"" + service_.address() + "\"\n" + lines;
    }
    Port expose(const std::string& lines) {
        start_server();
        client_ = &start_client(toml(lines));
        return client_->listening("service");
    }
    void reload(const std::string& lines) {
        client_->write_config(toml(lines));
        client_->request_reload();
    }
    std::uint64_t refusals(const std::string& reason) { return refusals_of("service", reason); }
    void set_quota(const std::string& bytes) {
        proto::AdminRequest request;
        request.mutable_client_set()->set_name("home");
        auto& setting = *request.mutable_client_set()->add_settings();
        setting.set_name("monthly_traffic");
        setting.add_values(bytes);
        const auto answer = server->ask(request);
        EXPECT_TRUE(answer.has_client()) << answer.error().message();
    }
    const UdpService service_;
    RunningClient* client_ = nullptr;
};

TEST_F(UdpAccessTest, WhoIsDeniedIsCountedAndReachesNothing) {
    const auto port = expose("deny = [\"127.0.0.0/8\"]\n");
    ASSERT_NE(port, 0);
    UdpVisitor visitor(port);
    EXPECT_TRUE(eventually([&] { return visitor.send(view_of("hello")) && refusals("denied") >= 2; }));
    EXPECT_EQ(service_.received(), 0u);
    EXPECT_EQ(mapping_show("service").visitors_total(), 0u);
    reload("deny = [\"192.0.2.0/24\"]\n");
    EXPECT_TRUE(visitor.ask(view_of("hello")));
}

TEST_F(UdpAccessTest, FlowsAtOnceAreLimited) {
    const auto port = expose("max_visitors = 1\nflow_timeout = \"1s\"\n");
    ASSERT_NE(port, 0);
    UdpVisitor second(port);
    {
        UdpVisitor first(port);
        EXPECT_TRUE(eventually([&] {
            return first.ask(view_of("mine")) && second.send(view_of("me too")) && refusals("at_once") >= 1;
        }));
        EXPECT_EQ(service_.flows(), 1u);
    }
    EXPECT_TRUE(second.ask(view_of("now me"))) << "a flow that was forgotten made room";
}

TEST_F(UdpAccessTest, WhatIsTooMuchASecondIsDropped) {
    const auto port = expose("bandwidth_in = \"80kbit\"\n");
    ASSERT_NE(port, 0);
    UdpVisitor visitor(port);
    ASSERT_TRUE(visitor.ask(view_of("first")));
    const auto sent = pattern(1000);
    const auto start = Clock::now();
    const auto before = mapping_show("service").bytes_in();
    EXPECT_TRUE(eventually([&] {
        (void)visitor.send(sent);
        const auto dropped = mapping_show("service").datagrams_dropped();
        const auto at = dropped.find("bandwidth=");
        return at != std::string::npos && std::stoul(dropped.substr(at + 10)) >= 100;
    }));
    const auto most = 2048 + 10'000 * std::chrono::duration<double>(Clock::now() - start).count() + 1000;
    EXPECT_LE(static_cast<double>(mapping_show("service").bytes_in() - before), most);
    reload("bandwidth_in = \"100MB\"\n");
    EXPECT_TRUE(visitor.ask(pattern(60'000))) << "the flow goes on with what is in force now";
    EXPECT_EQ(mapping_show("service").visitors_total(), 1u);
}

TEST_F(UdpAccessTest, AUsedUpQuotaEndsTheFlows) {
    const auto port = expose("");
    ASSERT_NE(port, 0);
    UdpVisitor visitor(port);
    ASSERT_TRUE(visitor.ask(view_of("first")));
    set_quota("10KB");
    EXPECT_TRUE(eventually([&] {
        return visitor.send(pattern(1000)) && logs.has({"traffic quota used up", "client=home"});
    }));
    EXPECT_TRUE(eventually([&] {
        return visitor.send(pattern(1000)) && refusals("quota") >= 1 &&
               mapping_show("service").visitors() == 0;
    }));
    set_quota("1GB");
    EXPECT_TRUE(visitor.ask(view_of("again")));
}

TEST_F(UdpAccessTest, EachDatagramTellsWhoTheVisitorIs) {
    const auto port = expose("proxy_protocol = \"v2\"\n");
    ASSERT_NE(port, 0);
    UdpVisitor visitor(port);
    for (const auto* said : {"hello", "again"}) {
        // What the service got, which echoes all of it.
        const auto got = visitor.ask(view_of(said));
        ASSERT_TRUE(got);
        const auto parsed = wire::parse_proxy_header(*got);
        ASSERT_TRUE(parsed && *parsed);
        const auto& header = (*parsed)->header;
        EXPECT_TRUE(header.datagram);
        EXPECT_EQ(header.source, (wire::ProxyEnd{*parse_ip("127.0.0.1"), visitor.port()}));
        EXPECT_EQ(header.destination, (wire::ProxyEnd{*parse_ip("127.0.0.1"), port}));
        EXPECT_EQ(text_of(BytesView(*got).subspan((*parsed)->size)), said);
    }
    ASSERT_TRUE(visitor.send(pattern(65'507)));
    EXPECT_TRUE(eventually([&] { return mapping_show("service").datagrams_dropped() == "size=1"; }));
}

}  // namespace
}  // namespace tunnel::test
