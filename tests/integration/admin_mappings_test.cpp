// The admin's mappings, live: added, held back, removed, and objected to by the client.

#include "tests/integration/support/tunnel_test.hpp"

namespace tunnel::test {
namespace {

using testing::HasSubstr;

TEST_P(BothModes, AMappingAddedLivePausedResumedAndRemoved) {
    const Service service(echo);
    start_server();
    auto& client = start_client("");
    ASSERT_TRUE(eventually([&] { return session_list().sessions_size() == 1; }));
    mapping_add("web", service.address(), encrypted());
    const auto port = client.listening("web");
    ASSERT_NE(port, 0);
    auto visitor = Peer::connect(port);
    visitor.send("one");
    ASSERT_EQ(visitor.receive_text(3), "one");

    mapping_pause("web");
    EXPECT_THROW((void)Peer::connect(port), std::system_error);
    visitor.send("two");
    EXPECT_EQ(visitor.receive_text(3), "two") << "a pause is to cut nobody";
    EXPECT_EQ(mapping_show("web").state(), "paused");
    EXPECT_TRUE(eventually([&] { return client.state("web").state == "paused"; }));

    mapping_resume("web");
    EXPECT_EQ(mapping_show("web").port(), port);
    auto second = Peer::connect(port);
    second.send("three");
    EXPECT_EQ(second.receive_text(5), "three");

    mapping_remove("web");
    EXPECT_EQ(visitor.receive_all().end, End::reset);
    EXPECT_EQ(second.receive_all().end, End::reset);
    EXPECT_THROW((void)Peer::connect(port), std::system_error);
    EXPECT_EQ(mapping_list().mappings_size(), 0);
    EXPECT_TRUE(eventually([&] { return client.state("web").name.empty(); }));
}

TEST_F(TunnelTest, AClientObjectsToWhatItsOwnerDoesNotAllow) {
    const Service service(echo);
    start_server();
    auto& client = start_client("allow = [\"192.0.2.0/24\"]\n");
    ASSERT_TRUE(eventually([&] { return session_list().sessions_size() == 1; }));
    mapping_add("web", service.address());
    EXPECT_TRUE(eventually([&] { return mapping_show("web").state() == "refused"; }));
    const auto port = mapping_show("web").port();
    EXPECT_THAT(mapping_show("web").last_error(), HasSubstr("does not allow " + service.address()));
    EXPECT_THROW((void)Peer::connect(static_cast<Port>(port)), std::system_error);
    EXPECT_EQ(service.accepted(), 0u);

    // Its owner allows it: the client reloads, and judges again.
    client.write_config("allow = [\"" + service.address() + "\"]\n");
    client.request_reload();
    ASSERT_EQ(client.listening("web"), port);
    auto visitor = Peer::connect(static_cast<Port>(port));
    visitor.send("x");
    EXPECT_EQ(visitor.receive_text(1), "x");
}

TEST_F(TunnelTest, ANameThatResolvesBeyondAllowIsRefusedWhenAVisitorComes) {
    const Service service(echo);
    start_server();
    auto& client = start_client("allow = [\"192.0.2.0/24\"]\n");
    ASSERT_TRUE(eventually([&] { return session_list().sessions_size() == 1; }));
    mapping_add("web", "localhost:" + std::to_string(service.port()));
    const auto port = client.listening("web");
    ASSERT_NE(port, 0);
    auto visitor = Peer::connect(port);
    EXPECT_EQ(visitor.receive_all().end, End::reset);
    EXPECT_TRUE(eventually([&] { return !mapping_show("web").last_error().empty(); }));
    EXPECT_THAT(mapping_show("web").last_error(), HasSubstr("does not allow"));
    EXPECT_EQ(service.accepted(), 0u);
}

TEST_F(TunnelTest, TheClientsOwnConfigDecidesWhichServiceItsMappingReaches) {
    const Service own([](Peer& peer) { peer.send("own"); });
    start_server();
    auto& client = start_client("allow = []\n" + mapping_toml("web", own.address()));
    const auto port = client.listening("web");
    ASSERT_NE(port, 0);
    EXPECT_EQ(Peer::connect(port).receive_text(3), "own");
}

TEST_F(TunnelTest, AddRefusesWithACodeAndASentence) {
    start_server();
    (void)link_of("home");
    const auto taken = listen_on_loopback();
    const auto error_of = [&](const std::string& client, const std::string& name, std::uint32_t tcp,
                              const std::string& service) {
        proto::AdminRequest request;
        auto& add = *request.mutable_mapping_add();
        add.set_client(client);
        add.mutable_spec()->set_name(name);
        add.mutable_spec()->set_tcp(tcp);
        add.mutable_spec()->set_service(service);
        return refused(request).code();
    };
    EXPECT_EQ(error_of("nobody", "web", 0, "127.0.0.1:80"), "not_found");
    EXPECT_EQ(error_of("home", "no good", 0, "127.0.0.1:80"), "invalid");
    EXPECT_EQ(error_of("home", "web", 70'000, "127.0.0.1:80"), "invalid");
    EXPECT_EQ(error_of("home", "web", 0, "nonsense"), "invalid");
    EXPECT_EQ(error_of("home", "web", taken.port, "127.0.0.1:80"), "conflict");
    EXPECT_EQ(error_of("home", "web", server->port(), "127.0.0.1:80"), "conflict");
    mapping_add("web", "127.0.0.1:80");
    EXPECT_EQ(error_of("home", "web", 0, "127.0.0.1:80"), "exists");
    EXPECT_EQ(mapping_list().mappings_size(), 1);
}

TEST_F(TunnelTest, WhatAClientDeclaresIsPausedHereButRemovedThere) {
    const Service service(echo);
    start_server();
    auto& client = start_client(mapping_toml("web", service.address()));
    const auto port = client.listening("web");
    ASSERT_NE(port, 0);
    proto::AdminRequest request;
    request.mutable_mapping_remove()->set_name("web");
    const auto error = refused(request);
    EXPECT_EQ(error.code(), "not_allowed");
    EXPECT_THAT(error.message(), HasSubstr("mapping pause"));
    mapping_pause("web");
    EXPECT_THROW((void)Peer::connect(port), std::system_error);
}

TEST_F(TunnelTest, AConnectionIsListedAndCanBeClosedAlone) {
    const Service service(echo);
    start_server();
    auto& client = start_client(mapping_toml("web", service.address()));
    const auto port = client.listening("web");
    auto kept = Peer::connect(port);
    kept.send("kept");
    ASSERT_EQ(kept.receive_text(4), "kept");
    auto ended = Peer::connect(port);
    ended.send("ended!");
    ASSERT_EQ(ended.receive_text(6), "ended!");
    const auto list = connection_list();
    ASSERT_EQ(list.connections_size(), 2);
    EXPECT_EQ(list.connections(0).bytes_in(), 4u);
    EXPECT_EQ(list.connections(1).bytes_out(), 6u);
    EXPECT_EQ(list.connections(1).mapping(), "web");
    EXPECT_EQ(list.connections(1).client(), "home");
    EXPECT_TRUE(list.connections(1).encrypt());
    EXPECT_THAT(list.connections(1).visitor(), HasSubstr("127.0.0.1:"));

    proto::AdminRequest request;
    request.mutable_connection_close()->set_id(list.connections(1).id());
    EXPECT_FALSE(server->ask(request).has_error());
    EXPECT_EQ(ended.receive_all().end, End::reset);
    kept.send("still");
    EXPECT_EQ(kept.receive_text(5), "still");
    EXPECT_TRUE(eventually([&] { return refused(request).code() == "not_found"; }));
}

}  // namespace
}  // namespace tunnel::test
